// The page: a report of what was recorded, or a comparison of two recordings.
import { read } from './data.js';
import { startDiff } from './diff.js';
import { complain } from './page.js';
import { startReport } from './report.js';
import { startTheme } from './theme.js';

try {
  startTheme();
  const data = read();
  if (data.diff) startDiff(data.diff);
  else startReport(data.processes);
} catch (error) {
  complain(error);
  throw error;
}
document.documentElement.dataset.ready = 'yes';
