// Follows the server's events; reconnects by itself and says so.

const SILENCE = 6000; // three beats
const LONGEST_PAUSE = 10000;

export class Stream {
  #url;
  #on;
  #source = null;
  #pause = 1000;
  #retry = null;
  #heard = Date.now();

  constructor(url, on) {
    this.#url = url;
    this.#on = on;
    this.#open();
    setInterval(() => this.#watch(), 1000);
    window.addEventListener("online", () => this.#again(0));
    document.addEventListener("visibilitychange", () => document.hidden || this.live || this.#again(0));
  }

  live = false;

  get silence() {
    return (Date.now() - this.#heard) / 1000;
  }

  #open() {
    this.#retry = null;
    this.#source?.close();
    this.#source = new EventSource(this.#url);
    for (const name of ["world", "change", "beat"]) {
      this.#source.addEventListener(name, (event) => this.#take(name, JSON.parse(event.data)));
    }
    this.#source.onerror = () => this.#again(this.#pause);
  }

  #take(name, data) {
    this.#heard = Date.now();
    this.#pause = 1000;
    this.live = true;
    this.#on(name, data);
  }

  #watch() {
    if (this.live && Date.now() - this.#heard > SILENCE) this.#again(0);
  }

  #again(pause) {
    this.live = false;
    this.#source.close();
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#open(), pause);
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
    this.#on("lost", null);
  }
}
