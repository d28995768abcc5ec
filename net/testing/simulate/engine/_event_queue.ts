// Copyright 2026 the Sluice authors. MIT license.

/** Something that happens at a time. */
export interface QueuedEvent {
  /** When it happens, in milliseconds of virtual time. */
  time: number;
  /** The order among events of the same time. */
  sequence: number;
  /** Its place in the heap; -1 if it is not queued. */
  index: number;
  /** Whether the simulation may end while it is pending. */
  readonly background: boolean;
  /** Whether it is a turn of the event loop, which continues the event before it. */
  readonly isTurn: boolean;
  /** Whether it happens in real time if it is pending when the simulation ends. */
  readonly survives: boolean;
  /** Called when it happens. */
  readonly run: () => void;
}

/** A priority queue of events by (time, sequence): a binary heap. */
export class EventQueue {
  readonly #heap: QueuedEvent[] = [];
  #foreground = 0;

  /** The earliest event. */
  get first(): QueuedEvent | undefined {
    return this.#heap[0];
  }

  /** The events, in no order. */
  get events(): readonly QueuedEvent[] {
    return this.#heap;
  }

  /** Whether an event is pending that is not in the background. */
  get hasForeground(): boolean {
    return this.#foreground > 0;
  }

  add(event: QueuedEvent): void {
    if (!event.background) this.#foreground++;
    event.index = this.#heap.length;
    this.#heap.push(event);
    this.#rise(event);
  }

  /** Removes an event, if it is queued. */
  remove(event: QueuedEvent): void {
    const { index } = event;
    if (index < 0) return;
    event.index = -1;
    if (!event.background) this.#foreground--;
    const last = this.#heap.pop() as QueuedEvent;
    if (last === event) return;
    this.#heap[index] = last;
    last.index = index;
    this.#rise(last);
    this.#sink(last);
  }

  #rise(event: QueuedEvent): void {
    const heap = this.#heap;
    let { index } = event;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex];
      if (!isBefore(event, parent)) break;
      heap[index] = parent;
      parent.index = index;
      index = parentIndex;
    }
    heap[index] = event;
    event.index = index;
  }

  #sink(event: QueuedEvent): void {
    const heap = this.#heap;
    let { index } = event;
    for (;;) {
      let childIndex = 2 * index + 1;
      if (childIndex >= heap.length) break;
      if (childIndex + 1 < heap.length && isBefore(heap[childIndex + 1], heap[childIndex])) childIndex++;
      const child = heap[childIndex];
      if (!isBefore(child, event)) break;
      heap[index] = child;
      child.index = index;
      index = childIndex;
    }
    heap[index] = event;
    event.index = index;
  }
}

function isBefore(one: QueuedEvent, other: QueuedEvent): boolean {
  return one.time < other.time || (one.time === other.time && one.sequence < other.sequence);
}
