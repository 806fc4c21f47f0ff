// One lint rule, `tsdoc/sentence`: what a module exports has a TSDoc comment with a sentence that says
// more than the name. What is exported from elsewhere is documented there. It does not judge tags.

const declarations = new Set([
  'FunctionDeclaration',
  'TSDeclareFunction',
  'ClassDeclaration',
  'TSInterfaceDeclaration',
  'TSTypeAliasDeclaration',
  'TSEnumDeclaration',
  'VariableDeclaration',
]);

const sentence = {
  meta: {
    type: 'suggestion',
    docs: { description: 'exports have a TSDoc sentence' },
    schema: [],
    messages: {
      missing: '"{{name}}" has no TSDoc: say what it is, with shapes, units and errors',
      echo: 'the TSDoc of "{{name}}" repeats its name: say what the name does not',
      open: 'the TSDoc of "{{name}}" is no sentence: end it with a full stop',
    },
  },
  create(context) {
    return { Program: (program) => check(context, program) };
  },
};

function check(context, program) {
  const documented = new Map(); // name -> the first TSDoc of its declarations, or undefined
  for (const { name, node } of exported(program)) {
    const text = tsdoc(context.sourceCode, node);
    const known = documented.get(name);
    if (known === undefined || known.text === undefined) documented.set(name, { node, text });
  }
  for (const [name, { node, text }] of documented) {
    const messageId = fault(name, text);
    if (messageId !== undefined) context.report({ node, messageId, data: { name } });
  }
}

// The statements that declare what is exported, with the names; overloads and merged declarations
// come several times.
function* exported(program) {
  const listed = new Set();
  for (const statement of program.body) {
    if (statement.type !== 'ExportNamedDeclaration' || statement.source) continue;
    if (statement.declaration) yield* named(statement.declaration, statement);
    for (const { local } of statement.specifiers) listed.add(local.name);
  }
  for (const statement of program.body) {
    if (statement.type === 'ExportDefaultDeclaration') {
      const { declaration } = statement;
      if (declaration.type === 'Identifier') listed.add(declaration.name);
      else yield { name: 'default', node: statement };
    }
  }
  for (const statement of program.body) {
    for (const found of named(statement, statement)) if (listed.has(found.name)) yield found;
  }
}

function named(declaration, node) {
  if (!declarations.has(declaration.type)) return [];
  if (declaration.type !== 'VariableDeclaration') return [{ name: declaration.id.name, node }];
  return declaration.declarations
    .filter(({ id }) => id.type === 'Identifier')
    .map(({ id }) => ({ name: id.name, node }));
}

// The comment directly before a statement, but for directives to ESLint; undefined where there is
// none.
function tsdoc(sourceCode, node) {
  const comment = sourceCode
    .getCommentsBefore(node)
    .filter(({ value }) => !/^\s*eslint-/.test(value))
    .at(-1);
  if (comment?.type !== 'Block' || !comment.value.startsWith('*')) return undefined;
  return comment.value.replace(/^\s*\* ?/gm, '').trim();
}

function fault(name, text) {
  if (text === undefined || text === '') return 'missing';
  const [first] = text.split(/\n\s*(?:\n|@)/);
  if (words(first).every((word) => words(name).includes(word) || filler.has(word))) return 'echo';
  return /[.!?:][)`'"]*$/.test(first.trim()) ? undefined : 'open';
}

const filler = new Set(['a', 'an', 'the', 'of', 'is', 'this', 'for', 'its']);

function words(text) {
  return text
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
}

/** @type {import('eslint').ESLint.Plugin} */
export const tsdocPlugin = { rules: { sentence } };
