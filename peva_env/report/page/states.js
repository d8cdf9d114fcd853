// The states of a configuration, as in peva_env/inference/cells.py.
const ABSENT = 0, UNKNOWN = 1, CONTRADICTED = 2, OK_MEASURED = 3, OK_INFERRED = 4, OVERLOADED_MEASURED = 5,
  OVERLOADED_INFERRED = 6, INCOMPLETE = 7;

const CELL_TEXTS = {
  [OK_MEASURED]: "measured OK",
  [OK_INFERRED]: "inferred OK",
  [OVERLOADED_MEASURED]: "measured overloaded",
  [OVERLOADED_INFERRED]: "inferred overloaded",
  [CONTRADICTED]: "contradicted",
  [INCOMPLETE]: "incomplete",
  [UNKNOWN]: "unknown",
};

const SIDES = { [OK_MEASURED]: -1, [OK_INFERRED]: -1, [OVERLOADED_MEASURED]: 1, [OVERLOADED_INFERRED]: 1 };
