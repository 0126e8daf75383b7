"""Dead letters after they were written: what there is, what one holds, and putting its record back.

`book` says what stands on the topic, `reading` fetches it, `retrying` puts records back, `text` shows bytes.
"""
