// Light and dark: as the system has it, until the button says otherwise. On paper always light.

const root = document.documentElement;
const dark = matchMedia('(prefers-color-scheme: dark)');

function kept() {
  try {
    return localStorage.getItem('squall-theme');
  } catch {
    return null; // files may have no storage
  }
}

function use(theme) {
  root.dataset.theme = theme;
  const button = document.getElementById('theme');
  button.textContent = theme === 'dark' ? 'Light' : 'Dark';
  button.setAttribute('aria-label', theme === 'dark' ? 'Use light colours' : 'Use dark colours');
  dispatchEvent(new Event('themechange'));
}

export function startTheme() {
  const system = () => (dark.matches ? 'dark' : 'light');
  use(kept() ?? system());
  dark.addEventListener('change', () => { if (!kept()) use(system()); });
  document.getElementById('theme').addEventListener('click', () => {
    const theme = root.dataset.theme === 'dark' ? 'light' : 'dark';
    use(theme);
    try {
      localStorage.setItem('squall-theme', theme);
    } catch { /* then it is for this once */ }
  });
  let before;
  addEventListener('beforeprint', () => { before = root.dataset.theme; use('light'); });
  addEventListener('afterprint', () => use(before));
}
