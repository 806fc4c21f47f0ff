// A dataset before tokenization: a stream of records in one of a few kinds. Readers and detection
// are the datasets plugin's.
import type { ChatMessage } from './chat.ts';

/** Where a record came from, for messages. */
export interface RecordOrigin {
  readonly file: string;
  /** Line (1-based) of a line format, or index (0-based) in a list. */
  readonly line?: number;
  readonly index?: number;
}

/** One record of a data set in one of the shapes that all formats are brought to. */
export type DatasetRecord = { readonly origin: RecordOrigin } &
  /** `part`: which part of a document that was too long to hold; absent where the text is whole. */
  (
    | { readonly kind: 'text'; readonly text: string; readonly part?: 'first' | 'middle' | 'last' }
    /** Two strings put together as they are; the second is trained. */
    | { readonly kind: 'completion'; readonly prompt: string; readonly completion: string }
    | {
        readonly kind: 'conversation';
        readonly messages: readonly ChatMessage[];
        readonly tools?: readonly unknown[];
      }
    | (AnswerPrompt & {
        /** Two answers to one prompt. */
        readonly kind: 'preference';
        readonly chosen: string;
        readonly rejected: string;
        /** By how much the chosen answer is better, where the data say it. */
        readonly margin?: number;
        /** All answers of a list with scores, of which `chosen` is the best and `rejected` the worst. */
        readonly scored?: readonly ScoredAnswer[];
      })
    | (AnswerPrompt & {
        /** One answer, and whether it is a good one. */
        readonly kind: 'unpaired';
        readonly completion: string;
        readonly desirable: boolean;
      })
    | (AnswerPrompt & {
        /** A prompt that answers are drawn to. */
        readonly kind: 'prompt';
        /** All fields of the record, as its file has them: what rewards compare answers with. */
        readonly columns: Readonly<Record<string, unknown>>;
      })
  );

/** What an answer is to: messages for the chat template, or text that it is put behind as it is. */
export type AnswerPrompt =
  | {
      readonly messages: readonly ChatMessage[];
      readonly tools?: readonly unknown[];
      readonly prompt?: undefined;
    }
  | { readonly prompt: string; readonly messages?: undefined };

/** An answer of a list with its score. */
export interface ScoredAnswer {
  readonly text: string;
  readonly score: number;
}

/** The shape of a record: text, completion, conversation, preference, unpaired or prompt. */
export type DatasetKind = DatasetRecord['kind'];

/** Which split of the data is asked for, and the settings that name its sources. */
export interface DatasetRequest {
  readonly split: 'train' | 'evaluation';
  /** Settings of the sources, as configured. */
  readonly setting: unknown;
  readonly signal?: AbortSignal;
}

/** A stream of records of one kind that can be read several times. */
export interface Dataset {
  /** For people: file names and detected format. */
  readonly name: string;
  readonly kind: DatasetKind;
  /** Hash of content and settings: for caches. A tap that changes records must change it. */
  readonly fingerprint: string;
  records(): AsyncIterable<DatasetRecord>;
}
