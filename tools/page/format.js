// Figures for people, as squall's own text has them.

function scaled(value, units, step) {
  let i = 0;
  while (i + 1 < units.length && Math.abs(value) >= step) {
    value /= step;
    i++;
  }
  return `${i === 0 && Number.isInteger(value) ? value : Number(value.toPrecision(3))} ${units[i]}`;
}

export const bytes = (v) => scaled(v, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'], 1024);

export function time(ns) {
  if (ns >= 3600e9) return `${Math.floor(ns / 3600e9)} h ${Math.floor((ns / 60e9) % 60)} min`;
  if (ns >= 120e9) return `${Math.floor(ns / 60e9)} min ${Math.floor((ns / 1e9) % 60)} s`;
  return scaled(ns, ['ns', 'µs', 'ms', 's'], 1000);
}

export const count = (v) => Math.round(v).toLocaleString('en-US');
export const percent = (share) =>
  `${share > 0 && share < 0.001 ? '<0.1' : Number((share * 100).toPrecision(3))} %`;
export const ratio = (v) => (v >= 100 ? count(v) : Number(v.toPrecision(3)).toString());
export const base = (path) => path.slice(path.lastIndexOf('/') + 1);
