import kafkajs from 'kafkajs'; import { compressFrameSync, decompressFrameSync } from 'lz4-napi';
const { Kafka, logLevel, CompressionTypes, CompressionCodecs } = kafkajs;
CompressionCodecs[CompressionTypes.LZ4] = () => ({ compress: async e => compressFrameSync(e.buffer), decompress: async b => decompressFrameSync(b) });
export const kafka = new Kafka({ clientId: 'bench', brokers: (process.env.BROKERS ?? '127.0.0.1:29192').split(','), logLevel: logLevel.NOTHING });
export const admin = kafka.admin();
