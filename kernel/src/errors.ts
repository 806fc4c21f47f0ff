// Every error the kernel makes, one builder each, in files by topic. Codes are listed in
// docs/errors.md; a test compares.
export * from './errors/command.ts';
export * from './errors/config.ts';
export * from './errors/lifecycle.ts';
export * from './errors/plugin.ts';
