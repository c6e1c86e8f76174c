// Items leased ahead, with their pictures loaded, so that the next one is there at once.

import { ask, call } from "/desk/static/api.js";
import { corners, prepare } from "/desk/static/pictures.js";

const AHEAD = 3;
const POLL_MS = 3000;

export class Supply {
  constructor(onChange) {
    this.onChange = onChange;
    this.ready = [];
    this.queue = null;
    this.order = "oldest";
    this.filling = null;
    this.timer = null;
    this.open = false;
    this.generation = 0;
    this.empty = false;
  }

  start() {
    this.open = true;
    this.fill();
  }

  // Returns what was leased ahead and is no longer wanted.
  stop() {
    this.open = false;
    this.generation += 1;
    clearTimeout(this.timer);
    const leases = this.ready.map((item) => item.lease);
    for (const item of this.ready) item.bitmap.close();
    this.ready = [];
    return leases;
  }

  take() {
    const item = this.ready.shift();
    this.fill();
    return item;
  }

  fill() {
    if (!this.open || this.filling) return;
    clearTimeout(this.timer);
    this.filling = this.fetchMore()
      .catch((error) => this.onChange(error, null))
      .then((more) => {
        this.filling = null;
        if (!this.open) return;
        if (more && this.ready.length < AHEAD) this.fill();
        else this.timer = setTimeout(() => this.fill(), POLL_MS);
      });
  }

  async fetchMore() {
    const most = AHEAD - this.ready.length;
    if (most <= 0) return false;
    const generation = this.generation;
    this.empty = false;
    const found = await ask("POST", "/items/take", { queue: this.queue, order: this.order, most });
    for (const item of found.items) {
      const loaded = await load(item);
      if (generation !== this.generation) {
        loaded.bitmap.close();
        await ask("POST", "/leases/release", { leases: [item.lease] });
        continue;
      }
      this.ready.push(loaded);
      this.onChange(null, found.queues);
    }
    this.empty = found.items.length === 0;
    if (generation === this.generation) this.onChange(null, found.queues);
    return found.items.length > 0;
  }
}

export async function load(item) {
  const answer = await call("GET", `/items/${item.batch}/${item.number}/image`);
  const original = (answer.headers.get("X-Original-Size") ?? "").split("x").map(Number);
  const bitmap = await createImageBitmap(await answer.blob());
  const whole = item.field_only || !item.field_box;
  const box = item.field_only ? null : item.field_box;
  const loaded = { ...item, bitmap, whole, corners: corners(box, bitmap, original) };
  prepare(loaded, document.getElementById("field"), document.getElementById("page"));
  return loaded;
}
