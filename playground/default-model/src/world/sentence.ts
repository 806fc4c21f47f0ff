// Filling templates: `{a}` is a word as it stands, `{A}` the same with a capital.
export type Slots = Readonly<Record<string, string>>;

export function fill(template: string, slots: Slots): string {
  const text = template.replace(/\{(\w+)\}/g, (_, name: string) => slots[name]!);
  return capital(text);
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** `an owl`, `a unit`, `an hour`. */
export function withArticle(noun: string): string {
  const vowel = /^(?:[aeio]|u(?!n[ui]|s[aeiu]|t[ei])|hour|honest|heir)/i.test(noun);
  return `${vowel && !/^(?:eu|one|once)/i.test(noun) ? 'an' : 'a'} ${noun}`;
}
