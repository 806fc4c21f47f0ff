// What plugins ask of the Hugging Face hub: the files of a model or a data set, on this machine. The
// one client is plugin hub's; nobody else speaks with the hub.

/** What is wanted of a repository. */
export interface HubRequest {
  readonly kind: 'model' | 'dataset';
  /** `organisation/name`. */
  readonly id: string;
  /** Branch, tag or commit; `main` where nothing is said. */
  readonly revision?: string | undefined;
  /**
   * Chooses from the names of all files (`data/train.parquet`); `get` downloads one whose content
   * decides about others and gives its path. It is asked again for the files of the cache, where the
   * hub cannot be reached.
   */
  readonly choose: (
    files: readonly string[],
    get: (file: string) => Promise<string>,
  ) => Promise<readonly string[]>;
  /** Why the name means no local file, for the error where the hub does not know it either. */
  readonly notLocal: string;
  readonly signal?: AbortSignal | undefined;
}

/** A commit's files on this machine. */
export interface HubSnapshot {
  /** Where the chosen files lie under their names. It may have others too. */
  readonly folder: string;
  readonly commit: string;
  /** The chosen files' names. */
  readonly files: readonly string[];
}

/** The client of the Hugging Face hub. */
export interface Hub {
  /**
   * The chosen files of a revision, downloaded where the cache lacks them. Without a network, what
   * the cache has. Throws LMFLOW_HUB_* and LMFLOW_CACHE_UNWRITABLE.
   */
  snapshot(request: HubRequest): Promise<HubSnapshot>;
}
