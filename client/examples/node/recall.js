// npm install && node recall.js [host:port]
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";

const includeDirs = [fileURLToPath(new URL("../../../protos", import.meta.url))];
const files = ["hopfield/v1/memory_service.proto", "hopfield/v1/recall_service.proto"];
const { hopfield } = grpc.loadPackageDefinition(protoLoader.loadSync(files, { includeDirs, enums: String, longs: String }));
const [address = "localhost:50051", insecure] = [process.argv[2], grpc.credentials.createInsecure()];
const memories = new hopfield.v1.MemoryService(address, insecure);
const recalls = new hopfield.v1.RecallService(address, insecure);
const call = (service, method, request) => promisify(service[method]).call(service, request);
const pattern = (...signs) => ({ count: 1, neurons: signs.length, signs: Buffer.from(Int8Array.from(signs).buffer) });

await call(memories, "CreateMemory", { name: "from-node", spec: { pairwise: { neurons: 4 } }, allowExisting: true });
await call(memories, "StorePatterns", { name: "from-node", patterns: pattern(-1, -1, -1, 1), labels: ["a"], replace: true });
const answer = await call(recalls, "Recall", { name: "from-node", query: pattern(-1, -1, -1, -1) });

console.log([...new Int8Array(answer.pattern.signs)], answer.label, `overlap ${answer.overlap}`,
  `energy ${answer.energy}`, `${answer.iterations} iterations`, answer.stopReason);
