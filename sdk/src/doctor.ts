// One line of `lmflow doctor`. Plugins add theirs in the hook onDoctor.

/** One finding of `lmflow doctor`, as taps of `onDoctor` add them. */
export interface DoctorCheck {
  /** What was looked at: `memory`, `engine onnx: cpu`. */
  readonly subject: string;
  /** `info` is neither good nor bad, `warning` works with a drawback, `problem` does not work. */
  readonly status: 'ok' | 'info' | 'warning' | 'problem';
  readonly detail: string;
  /** What to do about a warning or a problem, e.g. an install command. */
  readonly remedy?: string;
}
