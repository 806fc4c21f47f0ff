// How a template takes what messages say: content as text, or as a list of parts, over which
// templates of multimodal models iterate; arguments of calls as objects, or as their JSON, which
// templates of DeepSeek put behind other text. Found out by rendering a probe each way, as the
// source does not tell.
import { mediaOf, textOf, type ChatMessage, type MessageContent } from '@lmflow/sdk';
import { JinjaTemplate } from '../jinja/template.ts';

/** The forms of content that a template prints. */
export interface ContentForm {
  readonly text: boolean;
  readonly parts: boolean;
  /** Arguments of calls are printed where they are JSON, and are an error where they are objects. */
  readonly argumentsAsJson: boolean;
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
  const called = (values: unknown): boolean => {
    const calls = [{ type: 'function', function: { name: PROBE, arguments: values } }];
    try {
      return render([
        { role: 'user', content: 'x' },
        { role: 'assistant', content: '', tool_calls: calls },
      ]).includes(PROBE);
    } catch {
      return false;
    }
  };
  return {
    text: printed(PROBE),
    parts: printed([{ type: 'text', text: PROBE, [KEY]: KEY }]),
    argumentsAsJson: called('{}') && !called({}),
  };
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
 * text is given as one part to a template that does nothing but iterate; arguments are given as
 * JSON to one that takes no objects.
 */
export function inForm(
  messages: readonly ChatMessage[],
  form: ContentForm,
): readonly ChatMessage[] {
  return messages.map((given) => {
    const message = form.argumentsAsJson ? withJson(given) : given;
    const { content } = message;
    if (typeof content !== 'string') {
      return form.parts ? message : { ...message, content: textOf(content) };
    }
    if (form.text || !form.parts) return message;
    return { ...message, content: [{ type: 'text', text: content }] };
  });
}

const TO_JSON = new JinjaTemplate('{{ values | tojson }}');

function withJson(message: ChatMessage): ChatMessage {
  const calls = message['tool_calls'];
  if (!Array.isArray(calls)) return message;
  return { ...message, tool_calls: calls.map(callWithJson) };
}

function callWithJson(call: unknown): unknown {
  const called = (call as { function?: { arguments?: unknown } } | null)?.function;
  const values = called?.arguments;
  if (typeof values !== 'object' || values === null) return call;
  const json = TO_JSON.render({ values }).text;
  return { ...(call as object), function: { ...called, arguments: json } };
}
