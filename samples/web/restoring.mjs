// From pixels to pixels with a file that tlcconvert wrote, in onnxruntime-web.

// The build with WebGPU computes fewer types on the processor than the one without: float64 is left out.
const BUILDS = { wasm: "./ort/ort.wasm.min.mjs", webgpu: "./ort/ort.webgpu.min.mjs" };

/** The network in `bytes`; `provider` is "wasm" or "webgpu", `build` a module of onnxruntime-web that has it. */
export async function opened(bytes, provider, build = BUILDS[provider]) {
  const ort = await import(build);
  ort.env.logLevel = "error";
  // More threads need a page that its server isolates (COOP and COEP headers).
  ort.env.wasm.numThreads = globalThis.crossOriginIsolated ? navigator.hardwareConcurrency : 1;
  const session = await ort.InferenceSession.create(new Uint8Array(bytes), { executionProviders: [provider] });
  return { ort, session };
}

/** The first output, float32, for an image batch [N, C, H, W] in `data`, of any batch, height and width. */
export async function restored({ ort, session }, data, shape) {
  const results = await session.run({ [session.inputNames[0]]: new ort.Tensor("float32", data, shape) });
  const output = results[session.outputNames[0]];
  return { data: await output.getData(), shape: output.dims };
}

/** Colours of the image that the file takes: 3, or 1 for grey. */
export function channelsOf({ session }) {
  return session.inputMetadata[0].shape[1];
}

/** Pixels of a canvas (RGBA, 0 to 255) as [1, channels, height, width] in 0 to 1. */
export function planes({ data, width, height }, channels) {
  const area = width * height;
  const values = new Float32Array(channels * area);
  for (let pixel = 0; pixel < area; pixel++) {
    const colours = data.subarray(4 * pixel, 4 * pixel + 3);
    if (channels === 1) {
      values[pixel] = (0.299 * colours[0] + 0.587 * colours[1] + 0.114 * colours[2]) / 255;
      continue;
    }
    for (let colour = 0; colour < 3; colour++) values[colour * area + pixel] = colours[colour] / 255;
  }
  return { data: values, shape: [1, channels, height, width] };
}

/** What `planes` takes, from an output of 3 colours or of 1. */
export function pixels({ data, shape: [, channels, height, width] }) {
  const area = width * height;
  const picture = new ImageData(width, height);
  for (let pixel = 0; pixel < area; pixel++) {
    for (let colour = 0; colour < 3; colour++) {
      // An array of a canvas rounds and clamps what it is given.
      picture.data[4 * pixel + colour] = 255 * data[(channels === 1 ? 0 : colour) * area + pixel];
    }
    picture.data[4 * pixel + 3] = 255;
  }
  return picture;
}
