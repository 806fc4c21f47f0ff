// How a template takes what messages say: as text, or as a list of parts, over which templates of
// multimodal models iterate. Found out by rendering a probe each way, as the source does not tell.
import { mediaOf, textOf, type ChatMessage, type MessageContent } from '@lmflow/sdk';

/** The forms of content that a template prints. */
export interface ContentForm {
  readonly text: boolean;
  readonly parts: boolean;
}

/** Letters only, so that no filter changes them. */
const PROBE = 'LMFLOWPROBEXQZJ';
/** A key that shows up where a list is printed as it is, which is not what it is for. */
const KEY = 'LMFLOWKEYXQZJ';

/** Finds the form out; `render` may throw. */
export function contentForm(render: (messages: readonly ChatMessage[]) => string): ContentForm {
  const printed = (content: MessageContent): boolean => {
    try {
      const text = render([
        { role: 'user', content },
        { role: 'assistant', content },
      ]);
      return text.includes(PROBE) && !text.includes(KEY);
    } catch {
      return false;
    }
  };
  return { text: printed(PROBE), parts: printed([{ type: 'text', text: PROBE, [KEY]: KEY }]) };
}

/** A part that a template cannot print. */
export interface UnprintedPart {
  readonly message: number;
  readonly type: string;
}

/** The first part that is no text, for a template that prints text alone. */
export function unprinted(
  messages: readonly ChatMessage[],
  form: ContentForm,
): UnprintedPart | undefined {
  if (form.parts) return undefined;
  for (const [message, { content }] of messages.entries()) {
    const media = mediaOf(content)[0];
    if (media) return { message, type: media.part.type };
  }
  return undefined;
}

/**
 * The messages as the template takes them: parts are given to one that iterates, else their text;
 * text is given as one part to a template that does nothing but iterate.
 */
export function inForm(
  messages: readonly ChatMessage[],
  form: ContentForm,
): readonly ChatMessage[] {
  return messages.map((message) => {
    const { content } = message;
    if (typeof content !== 'string') {
      return form.parts ? message : { ...message, content: textOf(content) };
    }
    if (form.text || !form.parts) return message;
    return { ...message, content: [{ type: 'text', text: content }] };
  });
}
