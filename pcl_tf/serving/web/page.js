// The page: a picture or the camera's frames, the square that the encoder sees in them, what its heads answer.
import { detector } from "./detector.js";
import { around, centre, resized } from "./pixels.js";

const MOST = 2 ** 24; // pixels of a canvas that every browser has
const CAMERA = {
  NotAllowedError: "The camera is not allowed: allow it for this page, or take a photo.",
  NotFoundError: "There is no camera; take a photo.",
  NotReadableError: "The camera is in use elsewhere; close what uses it, or take a photo.",
};
const $ = (id) => document.getElementById(id);
const marks = $("marks"), pen = marks.getContext("2d");
const screen = $("pixels").getContext("2d", { willReadFrequently: true });

let ort, model, encoder, find, table; // once loaded
let picture, faces = [], square, stream, said = ""; // what is looked at

function say(text, wrong = false) {
  $("status").textContent = text;
  $("status").className = wrong ? "wrong" : "";
}

async function loaded(name, as) {
  const response = await fetch(name).catch(() => ({ status: "no answer" }));
  if (!response.ok) throw Error(`${name} cannot be loaded (${response.status}): serve the whole folder that pcl-export wrote.`);
  return response[as]();
}

async function network(name) {
  const bytes = new Uint8Array(await loaded(name, "arrayBuffer"));
  try {
    return await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
  } catch (error) {
    throw Error(`${name} cannot run in this browser (${error.message.split("\n")[0]}).`);
  }
}

let queue = Promise.resolve(); // a session answers one question at a time
function run(session, data, shape) {
  const asked = () => session.run({ [session.inputNames[0]]: new ort.Tensor("float32", data, shape) });
  return (queue = queue.then(asked, asked));
}

async function begin() {
  say("Loading; once, some 15 MB ..");
  if (!globalThis.WebAssembly) throw Error("This browser has no WebAssembly, or it is switched off; the encoder cannot run without.");
  model = await loaded("model.json", "json");
  ort = await import("./onnxruntime/ort.wasm.min.js");
  ort.env.wasm.numThreads = 1; // more need headers that few servers send
  const at = new URL("onnxruntime/ort-wasm-simd-threaded.", import.meta.url).href;
  ort.env.wasm.wasmPaths = { mjs: `${at}js`, wasm: `${at}wasm` };
  encoder = await network("encoder.onnx");
  if (model.detector) {
    const networks = {};
    for (const name of "pro") networks[name] = await network(`detector/${name}net.onnx`);
    find = detector(networks, run);
  }
  if (model.table) table = new Float32Array(await loaded("table.bin", "arrayBuffer"));
  $("name").textContent = document.title = model.name;
  $("about").textContent = model.about;
  build();
  for (const id of ["file", "camera"]) $(id).disabled = false;
  say("Take a photo, drop one here, or use the camera.");
}

/** What the encoder and its heads say of a square of an image: {answers: {head: [numbers]}, near: [[name, cosine]]}. */
export async function ask(image, part) {
  const face = resized(image, part, model.size, model.size).data.map((x) => x / 255);
  const out = await run(encoder, face, [1, model.size, model.size, 3]);
  const answers = Object.fromEntries(model.heads.map(({ name }, i) => [name, [...out[`head${i}`].data]]));
  return { answers, near: table ? nearest(out[model.table.feature].data) : [] };
}

function nearest(x, most = 8) {
  const norm = Math.hypot(...x), width = x.length;
  const cosines = model.table.names.map((name, row) => {
    let dot = 0;
    for (let i = 0; i < width; i++) dot += x[i] * table[row * width + i];
    return [name, dot / norm];
  });
  return cosines.sort((a, b) => b[1] - a[1]).slice(0, most);
}

/** Takes up an image: anything that a canvas draws. */
async function look(source, width, height) {
  const by = Math.min(1, Math.sqrt(MOST / (width * height)));
  [width, height] = [Math.floor(width * by) || 1, Math.floor(height * by) || 1];
  if ($("pixels").width !== width || $("pixels").height !== height)
    for (const canvas of [$("pixels"), marks]) Object.assign(canvas, { width, height });
  screen.drawImage(source, 0, 0, width, height);
  const seen = (picture = screen.getImageData(0, 0, width, height));
  const found = find ? await find(seen) : [];
  if (seen !== picture) return; // another came meanwhile
  faces = found;
  square = faces.length ? around(picture, faces[0], model.margin) : stream && find ? null : centre(picture);
  said = faces.length ? "" : stream && find ? "No face is in view." : find ? "No face was found: move the square over one. " : "Move the square over a face. ";
  $("picture").hidden = false;
  await answer();
}

let busy = false, again = false;
async function answer() {
  again = true;
  while (again && !busy) {
    [busy, again] = [true, false];
    const start = performance.now();
    try {
      for (const id of ["smaller", "larger"]) $(id).disabled = !square || !!stream;
      const result = square && (await ask(picture, square));
      show(result);
      if (result) say(`${said}Answered in ${Math.round(performance.now() - start)} ms.`);
      else say(said);
    } finally {
      busy = false;
    }
  }
}

const made = (tag, properties, ...inner) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...inner);
  return element;
};

/** A list of rows below a title; returns what fills a row: its name, its bar's share in [0, 1], its text. */
function list(title, remark, rows, bars) {
  const lines = Array.from({ length: rows }, () => {
    const parts = [made("span"), ...(bars ? [made("div", { className: "bar" }, made("i"))] : []), made("output")];
    return made("div", { className: bars ? "row" : "row wide" }, ...parts);
  });
  $("answers").append(made("section", {}, made("h2", { textContent: title }, made("small", { textContent: remark })), ...lines));
  return (row, name, share, text, bold = false) => {
    lines[row].firstChild.textContent = lines[row].firstChild.title = name;
    lines[row].lastChild.textContent = text;
    if (bars) lines[row].querySelector("i").style.width = `${100 * share}%`;
    lines[row].classList.toggle("best", bold);
  };
}

let fill; // functions of `list`, one a head, the last of the table
function build() {
  fill = model.heads.map((head) => list(head.name, head.measured, head.names.length, head.kind !== "regression"));
  if (table) fill.push(list("nearest", `by ${model.table.feature}, cosine`, Math.min(8, model.table.names.length), false));
}

function show(result) {
  $("answers").hidden = $("all").hidden = !result;
  draw(result);
  if (!result) return;
  model.heads.forEach((head, h) => {
    const best = head.kind === "classification" && Math.max(...result.answers[head.name]);
    result.answers[head.name].forEach((x, k) => {
      const text = head.kind !== "regression" ? `${Math.round(100 * x)} %` : head.units[k] === "degrees" ? `${x.toFixed(1)}°` : `${x.toPrecision(3)} ${head.units[k]}`;
      fill[h](k, head.names[k], x, text, x === best);
    });
  });
  result.near.forEach(([name, cosine], row) => fill.at(-1)(row, name, 0, cosine.toFixed(3), row === 0));
  const named = model.heads.map((head) => [head.name, Object.fromEntries(head.names.map((name, k) => [name, result.answers[head.name][k]]))]);
  $("numbers").textContent = JSON.stringify({ square, faces, ...Object.fromEntries(named), nearest: result.near }, null, 1);
}

/** Draws the faces' boxes, the square, and the head's axes as pcl-predict --overlay does. */
function draw(result) {
  const unit = marks.width / (marks.clientWidth || marks.width);
  pen.clearRect(0, 0, marks.width, marks.height);
  const line = (colour, width, path) => {
    Object.assign(pen, { strokeStyle: colour, lineWidth: width * unit });
    pen.beginPath();
    path();
    pen.stroke();
  };
  for (const { x, y, w, h } of faces) line("#ffffff99", 1.5, () => pen.rect(x, y, w, h));
  if (!result) return;
  line("#fff", 3, () => pen.rect(square.x, square.y, square.w, square.h));
  const pose = model.heads.find(({ names }) => ["yaw", "pitch", "roll"].every((name) => names.includes(name)));
  if (!pose) return;
  const [cy, sy, cx, sx, cz, sz] = ["yaw", "pitch", "roll"].flatMap((name) => {
    const angle = (result.answers[pose.name][pose.names.indexOf(name)] * Math.PI) / 180;
    return [Math.cos(angle), Math.sin(angle)];
  });
  const axes = [[cz * cy, sz * cy], [cz * sy * sx - sz * cx, sz * sy * sx + cz * cx], [cz * sy * cx + sz * sx, sz * sy * cx - cz * sx]];
  const [x, y, long] = [square.x + square.w / 2, square.y + square.h / 2, square.w / 2 / model.margin];
  axes.forEach(([right, down], i) =>
    line(["#f33", "#3d3", "#3af"][i], 4, () => {
      pen.moveTo(x, y);
      pen.lineTo(x + right * long, y + down * long);
    }),
  );
}

/** Moves the square's middle, and changes its side. */
function move(right, down, side = square.w) {
  side = Math.round(Math.min(Math.max(side, 16), picture.width, picture.height));
  const to = (at, by, most) => Math.round(Math.min(Math.max(at + (square.w - side) / 2 + by, 0), most - side));
  square = { x: to(square.x, right, picture.width), y: to(square.y, down, picture.height), w: side, h: side };
  said = "";
  return answer();
}

export async function take(file) {
  stop();
  let image;
  try {
    image = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    return say(`${file.name}: is no image that this browser reads.`, true);
  }
  say("Looking ..");
  await look(image, image.width, image.height);
}

function stop() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  $("camera").textContent = "Camera";
}

async function camera() {
  if (stream) return stop(), answer();
  if (!navigator.mediaDevices) return say("No camera here: browsers give one to https:// and localhost alone. Take a photo.", true);
  let mine;
  try {
    mine = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: { ideal: 640 } } });
    if (stream) return mine.getTracks().forEach((track) => track.stop()); // a second click came before the answer
    $("video").srcObject = stream = mine;
    await $("video").play();
  } catch (error) {
    stop();
    return say(CAMERA[error.name] ?? `The camera cannot be used (${error.message}).`, true);
  }
  $("camera").textContent = "Stop";
  while (stream === mine && mine.active) {
    await look($("video"), $("video").videoWidth, $("video").videoHeight);
    await new Promise(requestAnimationFrame);
  }
  if (stream === mine) stop(), say("The camera was taken away.", true);
}

$("file").onchange = ({ target }) => {
  const [file] = target.files;
  target.value = ""; // the same file may be taken again
  if (file) return take(file);
};
$("camera").onclick = camera;
$("smaller").onclick = () => move(0, 0, square.w / 1.15);
$("larger").onclick = () => move(0, 0, square.w * 1.15);
document.ondragover = (event) => (event.preventDefault(), document.body.classList.add("over"));
document.ondragleave = () => document.body.classList.remove("over");
document.ondrop = (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file && fill) take(file);
};
let held; // where the pointer took the square, in pixels from its corner
marks.onpointerdown = (event) => {
  const by = marks.width / marks.clientWidth, [x, y] = [event.offsetX * by, event.offsetY * by];
  if (stream || !square) return;
  const other = faces.find((f) => x > f.x && x < f.x + f.w && y > f.y && y < f.y + f.h);
  if (other) (square = around(picture, other, model.margin)), answer();
  held = [x - square.x, y - square.y];
  marks.setPointerCapture(event.pointerId);
};
marks.onpointermove = (event) => {
  if (!held) return;
  const by = marks.width / marks.clientWidth, [x, y] = [event.offsetX * by, event.offsetY * by];
  move(x - held[0] - square.x, y - held[1] - square.y);
};
marks.onpointerup = marks.onpointercancel = () => (held = null);
marks.onkeydown = (event) => {
  const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (by && square && !stream) event.preventDefault(), move(...by.map((x) => (x * square.w) / 20));
};
window.onunhandledrejection = ({ reason }) => say(reason.message ?? String(reason), true);
begin();
