// Made by `python -m tools.make_types` from mbsgd_core/results/header.py: change it there.

/** The lesson that the page shows. */
export interface Lesson {
  title: string;
  lesson: string;
  look_for: string;
  question: string | null;
}

/** What the page gives the bench when it is mounted: no results. */
export interface PageHeader {
  version: number;
  kind: "page";
  link: string;
  take: number;
  clock: "updates" | "samples" | "epochs" | "seconds" | "pytorch_seconds";
  view: Record<string, unknown> | null;
  theme: string | null;
  embed: boolean;
  plotly: string;
  channel: string;
  autoplay: boolean;
  lesson: Lesson | null;
  summary: string;
  box: "differences" | "known" | "landscape" | "instruments" | "data" | "units" | "reading" | null;
}

/** How far a run is; times in seconds. */
export interface Status {
  state: "waiting" | "queued" | "running" | "paused" | "done" | "failed";
  progress: number;
  message: string;
  left: number | null;
  estimate: number | null;
}

/** A loss that needs no learning, drawn as a line. */
export interface Level {
  curve: "loss" | "test_loss" | "test_accuracy" | "average_loss";
  value: number;
  text: string;
}

/** How much of the paths a plane holds. */
export interface Projection {
  explained: number[];
  text: string;
}

/** The problem; what is not required is there while its surface is shown. */
export interface ProblemHeader {
  title: string;
  summary: string;
  optimal_value: number | null;
  samples: number;
  parameters: number;
  levels: Level[];
  remark: string;
  axes?: string[];
  view?: number[];
  minimizers?: number[][];
  saddles?: number[][];
  log_levels?: boolean;
  finite_share?: number;
  projection?: Projection | null;
}

/** The rows behind a model of one or two features, in original units. */
export interface DataHeader {
  kind: "regression" | "classification";
  x_label: string;
  y_label: string;
  classes: string[] | null;
  mean: number[];
  deviation: number[];
  intercept: boolean;
}

/** How many rows there are. */
export interface Rows {
  train: number;
  test: number;
  all: number;
}

/** What stays the same of a data set while a model learns it. */
export interface SceneHeader {
  kind: "boundary" | "images" | "classes" | "numbers";
  classes: string[];
  axes: string[];
  rows: Rows;
  device: string;
}

/** A knob that may be dragged. */
export interface Knob {
  key: string;
  label: string;
  help: string;
  unit: string;
  scale: "linear" | "log";
  min: number;
  max: number;
  integer: boolean;
}

/** One change of one knob that is worth a try. */
export interface Remedy {
  key: string;
  value: number;
  text: string;
}

/** What became of a lane, why, and what to try. */
export interface BadgeHeader {
  name: "settled" | "bouncing" | "too slow" | "unstable" | "diverged" | "flat" | "escaping" | "still falling" | "unfinished";
  why: string;
  try: Remedy | null;
}

/** Where the runs of a lane end: two standard deviations. */
export interface Ellipse {
  centre: number[];
  axes: number[][];
}

/** One lane. */
export interface LaneHeader {
  label: string;
  role: "bgd" | "sgd" | "mini";
  color: string;
  dash: string;
  marker: string;
  text: string;
  summary: string;
  samples: number;
  sizes: number[];
  updates: number;
  updates_per_epoch: number;
  seconds_per_update: number | null;
  seconds_uncertainty: number | null;
  pytorch_seconds_per_update: number | null;
  pytorch_uncertainty: number | null;
  records: number;
  looked_at: number[] | null;
  runs: number;
  diverged_at: number | null;
  badge: BadgeHeader;
  cells: Record<string, string>;
  ellipse: Ellipse | null;
  memory: Record<string, number> | null;
  memory_remark: string;
  knobs: Record<string, number | null>;
  pinned: string[];
}

/** The loss to be reached. */
export interface TargetHeader {
  loss: number | null;
  text: string;
}

/** Who is ahead by one clock; the winner's lane, None where nobody is alone in front. */
export interface Headline {
  text: string;
  winner: number | null;
}

/** A column of the verdict table. */
export interface Column {
  key: string;
  label: string;
  title: string;
}

/** Where an array lies in a payload, counted from the end of the header. */
export interface PackedArray {
  name: string;
  shape: number[];
  dtype: "float32" | "uint32" | "uint8";
  offset: number;
}

/** A run as far as it has come. */
export interface RunHeader {
  version: number;
  kind: "run";
  seq: number;
  key: string;
  link: string;
  status: Status;
  problem: ProblemHeader;
  data: DataHeader | null;
  scene: SceneHeader | null;
  panels: ("path" | "fit" | "boundary" | "images" | "confusion" | "filters" | "numbers")[];
  default_panels: ("path" | "fit" | "boundary" | "images" | "confusion" | "filters" | "numbers")[];
  shown: ("path" | "fit" | "boundary" | "images" | "confusion" | "filters" | "numbers")[];
  curves: ("loss" | "test_loss" | "test_accuracy" | "average_loss")[];
  knobs: Knob[];
  lanes: LaneHeader[];
  target: TargetHeader;
  headline: Record<"updates" | "samples" | "epochs" | "seconds" | "pytorch_seconds", Headline>;
  ranking: Record<"updates" | "samples" | "epochs" | "seconds" | "pytorch_seconds", number[]>;
  columns: Column[];
  best: Record<string, number | null>;
  timing: Record<string, string>;
  kept: string[];
  arrays: PackedArray[];
}

/** What is sent where a run cannot go on. */
export interface FailureHeader {
  version: number;
  kind: "failure";
  seq: number;
  status: Status;
  arrays: PackedArray[];
}

/** What other batches would say at one record of a lane, in the plane. */
export interface CursorLane {
  index: number;
  gradient: number[];
  batch_gradient: number[] | null;
  fan: number[][];
  measured: number[][];
  predicted_with: number[][] | null;
  predicted_without: number[][] | null;
  text: string;
}

/** The answer to a question about the cursor; null for lanes that are not finite there. */
export interface CursorAnswer {
  lanes: (CursorLane | null)[];
}
