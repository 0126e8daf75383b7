import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueBytesStoreSupplier;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/** The mean interval of each node's heartbeats, every hundredth passed on; exactly once. */
public final class IntervalJob {
    private static final String STORE = "intervals";
    private static final ObjectMapper JSON = new ObjectMapper();

    private IntervalJob() {}

    /** Arguments: bootstrap servers, application id, input topic, output topic, memory or rocksdb, state folder. */
    public static void main(String[] arguments) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[1]);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 200);
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[5]);
        settings.put("auto.offset.reset", "earliest");
        KafkaStreams streams = new KafkaStreams(topology(arguments[2], arguments[3], arguments[4]), settings);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    private static Topology topology(String input, String output, String kind) {
        KeyValueBytesStoreSupplier supplier =
                kind.equals("memory") ? Stores.inMemoryKeyValueStore(STORE) : Stores.persistentKeyValueStore(STORE);
        // With the cache, as the DSL's aggregations have it: one changelog write a key and commit, not one a record.
        return new Topology()
                .addSource("heartbeats", Serdes.String().deserializer(), Serdes.ByteArray().deserializer(), input)
                .addProcessor("fold", IntervalProcessor::new, "heartbeats")
                .addStateStore(
                        Stores.keyValueStoreBuilder(supplier, Serdes.String(), Serdes.ByteArray()).withCachingEnabled(),
                        "fold")
                .addSink("out", output, Serdes.String().serializer(), Serdes.ByteArray().serializer(), "fold");
    }

    private static final class IntervalProcessor implements Processor<String, byte[], String, byte[]> {
        private ProcessorContext<String, byte[]> context;
        private KeyValueStore<String, byte[]> store;

        @Override
        public void init(ProcessorContext<String, byte[]> given) {
            context = given;
            store = given.getStateStore(STORE);
        }

        @Override
        public void process(Record<String, byte[]> beat) {
            try {
                fold(beat);
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        }

        private void fold(Record<String, byte[]> beat) throws IOException {
            JsonNode value = JSON.readTree(beat.value());
            double sentAt = value.get("sent_at").asDouble();
            byte[] known = store.get(beat.key());
            double mean = 0.5;
            if (known != null) {
                double[] state = JSON.readValue(known, double[].class);
                mean = 0.9 * state[1] + 0.1 * (sentAt - state[0]);
            }
            byte[] changed = JSON.writeValueAsBytes(new double[] {sentAt, mean});
            store.put(beat.key(), changed);
            if (value.get("seq").asLong() % 100 == 0) {
                context.forward(beat.withValue(changed));
            }
        }
    }
}
