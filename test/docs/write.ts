// npm run docs: writes what is made from the sources into the documents, the tables of options in
// the READMEs and docs/errors.md. Tests fail where these are stale.
import { writeFileSync } from 'node:fs';
import { errorsDocument, errorsFile } from '../../kernel/test/errors-doc.ts';
import { withOptions } from './options-table.ts';
import { documentedPackages, readmeOf } from './packages.ts';

writeFileSync(errorsFile, errorsDocument());
for (const entry of await documentedPackages()) {
  const text = withOptions(readmeOf(entry), entry.tables);
  if (text !== undefined) writeFileSync(entry.readme, text);
}
