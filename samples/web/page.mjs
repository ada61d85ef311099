// The page: a file, a picture, and the picture restored.
import { channelsOf, opened, pixels, planes, restored } from "./restoring.mjs";

const byId = (id) => document.getElementById(id);
const state = byId("state");
let network = null;
let latest = 0;

function shown(canvas, picture) {
  canvas.width = picture.width;
  canvas.height = picture.height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (picture instanceof ImageData) context.putImageData(picture, 0, 0);
  else context.drawImage(picture, 0, 0);
  return context;
}

async function open() {
  network = null;
  const [file] = byId("model").files;
  if (file) network = opened(await file.arrayBuffer(), byId("provider").value);
  await restore();
}

async function restore() {
  const [file] = byId("picture").files;
  if (!file || !network) return;
  const own = ++latest;
  state.textContent = "Restoring …";
  const picture = await createImageBitmap(file);
  const { width, height } = picture;
  const given = shown(byId("given"), picture).getImageData(0, 0, width, height);
  const current = await network;
  const image = planes(given, channelsOf(current));
  const start = performance.now();
  const output = await restored(current, image.data, image.shape);
  // Another file or picture was chosen in between.
  if (own !== latest) return;
  shown(byId("restored"), pixels(output));
  state.textContent = `${width} x ${height}: ${Math.round(performance.now() - start)} ms`;
}

function told(action) {
  return () => action().catch((error) => (state.textContent = `This does not work: ${error.message ?? error}`));
}

byId("model").addEventListener("change", told(open));
byId("provider").addEventListener("change", told(open));
byId("picture").addEventListener("change", told(restore));
if (!navigator.gpu) byId("provider").options[1].disabled = true;
