// npm start -- [flags of lmflow, such as --model FOLDER --lora-adapter FOLDER]
import { createKernel } from 'lmflow';
import config from '../lmflow.config.ts';
import { createApp } from './app.ts';

const PORT = Number(process.env['PORT'] ?? 3000);
const kernel = await createKernel(config, { flags: process.argv.slice(2) });
const app = await createApp(kernel);
app.listen(PORT, () => {
  console.log(`curl localhost:${PORT}/ask -d '{"question": "What is the capital of France?"}'`);
});
process.once('SIGINT', () => {
  app.close(() => void kernel.close());
  app.closeAllConnections();
});
