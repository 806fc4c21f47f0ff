// Figures in Prometheus' text format 0.0.4. Only what this server needs of it: counters, gauges,
// histograms.

type Labels = Readonly<Record<string, string>>;

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly lines: () => string[];
}

const BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

export class Metrics {
  readonly #families: Family[] = [];

  /** A number that only grows; gives the function that adds to it. */
  counter(name: string, help: string): (labels?: Labels, amount?: number) => void {
    const values = new Map<string, number>();
    this.#families.push({
      name,
      help,
      type: 'counter',
      lines: () => [...values].map(([labels, value]) => `${name}${labels} ${value}`),
    });
    return (labels = {}, amount = 1) => {
      const key = write(labels);
      values.set(key, (values.get(key) ?? 0) + amount);
    };
  }

  /** A number read when it is asked for. */
  gauge(name: string, help: string, read: () => number): void {
    this.#families.push({ name, help, type: 'gauge', lines: () => [`${name} ${read()}`] });
  }

  /** Seconds in buckets; gives the function that records one. */
  histogram(name: string, help: string): (labels: Labels, seconds: number) => void {
    const series = new Map<
      string,
      { labels: Labels; counts: number[]; sum: number; count: number }
    >();
    this.#families.push({
      name,
      help,
      type: 'histogram',
      lines: () =>
        [...series.values()].flatMap(({ labels, counts, sum, count }) => [
          ...BUCKETS.map(
            (bound, index) =>
              `${name}_bucket${write({ ...labels, le: String(bound) })} ${counts[index]}`,
          ),
          `${name}_bucket${write({ ...labels, le: '+Inf' })} ${count}`,
          `${name}_sum${write(labels)} ${sum}`,
          `${name}_count${write(labels)} ${count}`,
        ]),
    });
    return (labels, seconds) => {
      const key = write(labels);
      const one = series.get(key) ?? { labels, counts: BUCKETS.map(() => 0), sum: 0, count: 0 };
      series.set(key, one);
      BUCKETS.forEach((bound, index) => {
        if (seconds <= bound) one.counts[index]!++;
      });
      one.sum += seconds;
      one.count++;
    };
  }

  text(): string {
    return this.#families
      .flatMap(({ name, help, type, lines }) => [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} ${type}`,
        ...lines(),
        '',
      ])
      .join('\n');
  }
}

function write(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([key, value]) => `${key}="${value.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n')}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}
