// Finds faces as pcl_tf/prepare/detector.py does, by the three networks of MTCNN (Zhang et al., 2016).
import { resample, resized } from "./pixels.js";

const SHORTER = 224, LONGER = 5 * SHORTER, LEAST = 40; // as there

/** A function from an image to its faces {x, y, w, h}, the largest first. networks: p, r and o; run: of page.js. */
export const detector = (networks, run) => async (image) => {
  const { width, height } = image, short = Math.min(width, height);
  const scale = Math.min(SHORTER / short, LONGER / Math.max(width, height));
  if (scale * short < LEAST) return [];
  const [w, h] = [width, height].map((side) => Math.max(1, Math.round(scale * side)));
  const small = resized(image, { x: 0, y: 0, w: width, h: height }, w, h);
  small.data = small.data.map((x) => (x - 127.5) / 128);

  let boxes = [];
  const steps = Math.round(-(Math.log(Math.min(w, h) / 12) / Math.log(0.709) + 1));
  for (let i = 0; i < steps; i++) {
    const by = 0.6 * 0.709 ** i;
    const seen = resample(small, { x: 0, y: 0, w, h }, Math.trunc(w * by), Math.trunc(h * by), true);
    const { box, face } = await run(networks.p, seen.data, [1, seen.height, seen.width, 3]);
    const [, , columns] = face.dims, found = [];
    for (let at = 0; at < face.data.length / 2; at++) {
      const sure = face.data[2 * at + 1];
      if (sure <= 0.6) continue;
      const x = 2 * (at % columns), y = 2 * Math.floor(at / columns), move = box.data.subarray(4 * at, 4 * at + 4);
      found.push({ sure, at: [x + 1, y + 1, x + 12, y + 12].map((p, k) => (p + 11 * move[k]) / by) });
    }
    boxes.push(...apart(found, 0.5));
  }
  boxes = square(apart(boxes, 0.7));
  boxes = square(apart(await better(networks.r, small, boxes, { side: 24, least: 0.7, run }), 0.7));
  boxes = apart(await better(networks.o, small, boxes, { side: 48, least: 0.8, run }), 0.7, true);
  const inside = ([x1, y1, x2, y2]) => [[x1, w], [y1, h], [x2, w], [y2, h]].map(([p, most]) => Math.min(Math.max(p, 0), most - 1));
  return boxes
    .map(({ at }) => inside(at))
    .map(([x1, y1, x2, y2]) => ({ x: (x1 * width) / w, y: (y1 * height) / h, w: ((x2 - x1) * width) / w, h: ((y2 - y1) * height) / h }))
    .sort((a, b) => b.w * b.h - a.w * a.h);
};

/** Boxes moved by a network that sees what is in them, those it is sure of. */
async function better(network, image, boxes, { side, least, run }) {
  if (!boxes.length) return [];
  const size = side * side * 3, seen = new Float32Array(boxes.length * size);
  boxes.forEach(({ at }, i) => seen.set(patch(image, at, side), i * size));
  const { box, face } = await run(network, seen, [boxes.length, side, side, 3]);
  return boxes
    .map(({ at: [x1, y1, x2, y2] }, i) => {
      const move = box.data.subarray(4 * i, 4 * i + 4), by = [x2 - x1 + 1, y2 - y1 + 1, x2 - x1 + 1, y2 - y1 + 1];
      return { sure: face.data[2 * i + 1], at: [x1, y1, x2, y2].map((p, k) => p + move[k] * by[k]) };
    })
    .filter(({ sure }) => sure > least);
}

/** A box of an image by bilinear samples, 0 outside: tf.image.crop_and_resize. */
function patch({ data, width, height }, [x1, y1, x2, y2], side) {
  const out = new Float32Array(side * side * 3);
  const place = (a, b, most, i) => ((a + ((b - a) * i) / (side - 1)) * (most - 1)) / most;
  for (let row = 0; row < side; row++) {
    const y = place(y1, y2, height, row), top = Math.floor(y), down = y - top;
    if (y < 0 || y > height - 1) continue;
    for (let column = 0; column < side; column++) {
      const x = place(x1, x2, width, column), left = Math.floor(x), right = x - left;
      if (x < 0 || x > width - 1) continue;
      for (let k = 0; k < 3; k++) {
        const value = (r, c) => data[(Math.min(r, height - 1) * width + Math.min(c, width - 1)) * 3 + k];
        const line = (r) => value(r, left) * (1 - right) + value(r, left + 1) * right;
        out[(row * side + column) * 3 + k] = line(top) * (1 - down) + line(top + 1) * down;
      }
    }
  }
  return out;
}

/** Boxes, the surest first, but for those that overlap a surer one by more than a share of their union, or of the smaller. */
function apart(boxes, most, ofSmaller = false) {
  const size = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);
  const shared = (a, b) => {
    const [w, h] = [0, 1].map((k) => Math.max(0, Math.min(a[k + 2], b[k + 2]) - Math.max(a[k], b[k])));
    return (w * h) / (ofSmaller ? Math.min(size(a), size(b)) : size(a) + size(b) - w * h);
  };
  const sorted = [...boxes].sort((a, b) => b.sure - a.sure);
  return sorted.filter(({ at }, i) => sorted.slice(0, i).every((surer) => shared(surer.at, at) <= most));
}

/** Boxes made square about their middles. */
function square(boxes) {
  return boxes.map(({ sure, at: [x1, y1, x2, y2] }) => {
    const side = Math.max(x2 - x1, y2 - y1), x = (x1 + x2 - side) / 2, y = (y1 + y2 - side) / 2;
    return { sure, at: [x, y, x + side, y + side] };
  });
}
