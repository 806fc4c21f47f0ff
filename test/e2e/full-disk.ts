// Runs the commands that its argument lists in JSON and prints how each ends. Started under a limit
// on the size of files, which is a disk that is full. Not a test.
import { ends, type Run } from './commands-in-process.ts';

for (const run of JSON.parse(process.argv[2]!) as Run[]) {
  const [code, error] = await ends(run);
  process.stdout.write(`${run.command} ${code} ${error}\n`);
}
