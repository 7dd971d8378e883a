// A connector's options as the YAML of a pipeline file, and back. Only what such a file needs: names, nested names, texts, and lists
// in one line. What it does not know it refuses with the line, it never guesses.

const PLAIN = /^[A-Za-z_/.][\w./:@%+-]*( [\w./:@%+-]+)*$/;
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?$/;
const WORDS = new Set(["true", "false"]);
const RESERVED = /^(y|n|yes|no|on|off|null|~|true|false)$/i;

function scalar(text) {
  if (WORDS.has(text) || (NUMBER.test(text) && text.length < 16)) return text;
  if (PLAIN.test(text) && !RESERVED.test(text) && !text.endsWith(":")) return text;
  return JSON.stringify(text);
}

/** The lines of one connector. `lists`: names whose values are lists. */
export function write(name, values, lists) {
  const { "connector.class": kind, name: _, ...rest } = values;
  const body = Object.entries(rest).map(([key, value]) => {
    const items = value.split(",").map((item) => item.trim()).filter(Boolean);
    return `    ${key}: ${lists.has(key) && !value.startsWith("[") ? `[${items.map(scalar).join(", ")}]` : scalar(value)}`;
  });
  return ["connectors:", `  ${name ? scalar(name) : "NAME"}:`, `    connector: ${scalar(kind ?? "")}`, ...body, ""].join("\n");
}

export class YamlError extends Error {
  constructor(line, what) {
    super(what);
    this.line = line;
  }
}

function value(text, line) {
  if (text.startsWith('"')) {
    const end = /^("(?:[^"\\]|\\.)*")\s*(#.*)?$/.exec(text);
    try {
      return JSON.parse(end[1]);
    } catch {
      throw new YamlError(line, "quote");
    }
  }
  if (text.startsWith("'")) {
    const end = /^'((?:[^']|'')*)'\s*(#.*)?$/.exec(text);
    if (!end) throw new YamlError(line, "quote");
    return end[1].replaceAll("''", "'");
  }
  if (/^[&*!|>%@`{]/.test(text)) throw new YamlError(line, "form");
  const plain = text.replace(/\s+#.*$/, "");
  if (!plain.startsWith("[")) return plain;
  if (!plain.endsWith("]")) throw new YamlError(line, "form");
  const inner = plain.slice(1, -1).trim();
  if (!inner) return "";
  return inner.split(",").map((item) => value(item.trim(), line)).join(",");
}

/** `{name, values}` of the text of one connector, with or without `connectors:` around it. */
export function read(text) {
  const stack = [];
  const values = {};
  let name = null;
  text.split("\n").forEach((raw, at) => {
    const line = at + 1;
    if (!raw.trim() || raw.trim().startsWith("#")) return;
    if (raw.includes("\t")) throw new YamlError(line, "tab");
    const depth = raw.length - raw.trimStart().length;
    const found = /^("(?:[^"\\]|\\.)*"|[^\s:#'"][^:#]*(?::[^\s:#]+)*):(?:\s+(.*))?$/.exec(raw.trim());
    if (!found) throw new YamlError(line, "form");
    while (stack.length && stack.at(-1).depth >= depth) stack.pop();
    const key = found[1].startsWith('"') ? JSON.parse(found[1]) : found[1].trim();
    const given = (found[2] ?? "").trim();
    const path = [...stack.map((one) => one.key), key];
    if (given === "" || given.startsWith("#")) {
      stack.push({ depth, key });
      if (path.length === 2 && path[0] === "connectors") {
        if (name !== null) throw new YamlError(line, "two");
        name = key;
      }
      return;
    }
    const own = path[0] === "connectors" ? path.slice(2) : path;
    if (own.length === 0) throw new YamlError(line, "form");
    const full = own.join(".") === "connector" ? "connector.class" : own.join(".");
    if (full in values) throw new YamlError(line, "twice");
    values[full] = value(given, line);
  });
  return { name, values };
}
