// Pixels as pcl_tf makes them in Python. The browser only decodes: its own resizing differs from browser to browser.
// An image is {data, width, height}, its channels three (of ours) or four (of a canvas).

/** The nearest whole number, of halves the even one, as in Python and TensorFlow. */
export const round = (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

const f = Math.fround; // numbers are rounded where TensorFlow rounds its float32: levels that lie between two are common

/** What each of `count` pixels along a side is made of: [first input, weights]. */
function spans(length, count, area) {
  const step = f(1 / f(count / length)), reach = f(Math.max(step, 1));
  return Array.from({ length: count }, (_, i) => {
    const middle = f((i + 0.5) * step), weights = [];
    const first = Math.max(0, area ? Math.floor(i * step) : Math.ceil(f(f(middle - reach) - 0.5)));
    const last = Math.min(length - 1, area ? Math.ceil((i + 1) * step) - 1 : Math.floor(f(f(middle + reach) - 0.5)));
    for (let j = first; j <= last; j++)
      weights.push(area ? Math.min(j + 1, (i + 1) * step) - Math.max(j, i * step) : Math.max(0, f(1 - Math.abs(f(f(j + 0.5 - middle) * f(1 / reach))))));
    const whole = f(1 / weights.reduce((a, b) => f(a + b), 0));
    return [first, weights.map((w) => f(w * whole))];
  });
}

/** Resizes a part {x, y, w, h} of an image to `width` x `height`: antialiased bilinear, or means of areas. Not rounded. */
export function resample(image, part, width, height, area = false) {
  const channels = image.data.length / (image.width * image.height), { data } = image;
  const rows = new Float32Array(height * part.w * 3), out = new Float32Array(height * width * 3);
  spans(part.h, height, area).forEach(([first, weights], row) => {
    weights.forEach((weight, i) => {
      let from = ((part.y + first + i) * image.width + part.x) * channels;
      for (let to = row * part.w * 3, end = to + part.w * 3; to < end; to += 3, from += channels)
        for (let k = 0; k < 3; k++) rows[to + k] += f(weight * data[from + k]);
    });
  });
  const columns = spans(part.w, width, area);
  for (let row = 0, to = 0; row < height; row++)
    for (const [first, weights] of columns)
      for (let k = 0; k < 3; k++, to++)
        for (let i = 0; i < weights.length; i++) out[to] += f(weights[i] * rows[(row * part.w + first + i) * 3 + k]);
  return { data: out, width, height };
}

/** `resample` to whole levels from 0 to 255. */
export function resized(image, part, width, height) {
  const out = resample(image, part, width, height);
  out.data = out.data.map((x) => Math.min(255, Math.max(0, round(x))));
  return out;
}

/** The square around a face's box {x, y, w, h} whose side is `margin` times the longer one, moved into the picture. */
export function around(image, box, margin) {
  const side = Math.max(1, Math.min(round(margin * Math.max(box.w, box.h)), image.width, image.height));
  const inside = (at, most) => Math.min(Math.max(round(at - side / 2), 0), most - side);
  return { x: inside(box.x + box.w / 2, image.width), y: inside(box.y + box.h / 2, image.height), w: side, h: side };
}

/** The central square. */
export function centre({ width, height }) {
  const side = Math.min(width, height);
  return { x: Math.floor((width - side) / 2), y: Math.floor((height - side) / 2), w: side, h: side };
}
