'use strict';
// Many distinct stacks within node and libc: V8's parser recurses through the source and takes
// memory on the way. The same sources in every run.
const wanted = Number(process.argv[2] || 1000);
let seed = 1;
const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
const leaf = () => ['a', '1', '"s"', 'b.c', '[]', '{}', '/x/', '`t`'][random(8)];
const inner = [
  (x) => `(${x}+${leaf()})`, (x) => `[${leaf()},${x}]`, (x) => `({k:${x}})`,
  (x) => `f(${x})`, (x) => `(()=>${x})`, (x) => `(function(){return ${x}})`,
  (x) => `(a?${x}:1)`, (x) => `new C(${x})`, (x) => `(!${x})`, (x) => `(a=${x})`,
  (x) => `\`t\${${x}}\``, (x) => `(class{m(){return ${x}}})`, (x) => `(a,${x})`,
  (x) => `(async()=>{for(;;){if(${x})break}})`, (x) => `(()=>{try{${x}}catch(e){}})`,
  (x) => `(()=>{switch(a){case ${x}:}})`,
];
const nested = (depth) => {
  let x = leaf();
  for (let i = 0; i < depth; i++) x = inner[random(inner.length)](x);
  return x;
};
for (let i = 0; i < wanted; i++) {
  let source = '';
  for (let k = 0; k < 12; k++) source += `x${k}=${nested(4 + random(14))};\n`;
  new Function('f', 'C', 'a', 'b', source);
}
