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

// As in map_data.py; a prediction is in percent.
const NOT_PREDICTED = 255;
const likelySide = (percent) => (percent >= 50 ? 1 : -1);

// The edges of a grid at which OK and overloaded meet: [x0, y0, x1, y1], the middle of a cell being whole numbers. `side`
// tells the side of the frontier that a cell is on: -1 OK, 1 overloaded, 0 neither. With `likely`, which tells the same
// with predictions, only the edges that follow from a prediction.
function edgesBetween(grid, side, likely = null) {
  const edges = [];
  const meet = (one, other) => {
    const isProved = side(one) * side(other) < 0;
    return likely ? !isProved && likely(one) * likely(other) < 0 : isProved;
  };
  grid.forEach((row, y) => row.forEach((cell, x) => {
    if (x && meet(row[x - 1], cell)) edges.push([x - 0.5, y - 0.5, x - 0.5, y + 0.5]);
    if (y && meet(grid[y - 1][x], cell)) edges.push([x - 0.5, y - 0.5, x + 0.5, y - 0.5]);
  }));
  return edges;
}
