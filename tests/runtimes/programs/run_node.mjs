// Runs a file in onnxruntime-web (WebAssembly, one thread) under Node.
//
// node run_node.mjs MODEL INPUT.npy OUTPUT.npy [INPUT.npy OUTPUT.npy ...]
//
// Beside the folder node_modules that has onnxruntime-web.
import { readFileSync, writeFileSync } from "node:fs";
import * as ort from "onnxruntime-web";

ort.env.wasm.numThreads = 1;

const read = (file) => {
  const bytes = readFileSync(file);
  const start = 10 + bytes.readUInt16LE(8);
  const header = bytes.subarray(10, start).toString("latin1");
  const shape = header.match(/\(([^)]*)\)/)[1].split(",").filter((text) => text.trim()).map(Number);
  return new ort.Tensor("float32", new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length)), shape);
};

const write = (file, tensor) => {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${tensor.dims.join(", ")},), }`;
  const padded = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + "\n";
  const start = Buffer.from([0x93, ...Buffer.from("NUMPY"), 1, 0, padded.length & 255, padded.length >> 8]);
  writeFileSync(file, Buffer.concat([start, Buffer.from(padded, "latin1"), Buffer.from(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength)]));
};

const [model, ...files] = process.argv.slice(2);
const session = await ort.InferenceSession.create(readFileSync(model), { executionProviders: ["wasm"] });
for (let i = 0; i < files.length; i += 2) {
  const results = await session.run({ [session.inputNames[0]]: read(files[i]) });
  write(files[i + 1], results[session.outputNames[0]]);
}
