// Loads the native module. A plain list of `require` calls, so that bundlers and tracers see each of them; only the package
// for this platform is installed. It stays outside the compiled sources so that ES modules and CommonJS share one copy.
"use strict";

// The packages that may fit this platform. Only one of them is installed, or can be loaded: to try is quicker than to find
// out which library the system has.
function platforms() {
  const name = `${process.platform}-${process.arch}`;
  if (process.platform === "linux") return [`${name}-gnu`, `${name}-musl`];
  return [process.platform === "win32" ? `${name}-msvc` : name];
}

function load(name) {
  // A module built by oneself; the packages below are not looked at then.
  const own = process.env.LAKEKEY_NATIVE_MODULE;
  // Not by this file's `require`: a bundler would replace it by a list of the modules that it knows.
  if (own) return require("node:module").createRequire(`${process.cwd()}/`)(own);
  switch (name) {
    case "darwin-arm64":
      return require("@lakekey/darwin-arm64");
    case "darwin-x64":
      return require("@lakekey/darwin-x64");
    case "linux-arm64-gnu":
      return require("@lakekey/linux-arm64-gnu");
    case "linux-arm64-musl":
      return require("@lakekey/linux-arm64-musl");
    case "linux-x64-gnu":
      return require("@lakekey/linux-x64-gnu");
    case "linux-x64-musl":
      return require("@lakekey/linux-x64-musl");
    case "win32-x64-msvc":
      return require("@lakekey/win32-x64-msvc");
    default:
      throw new Error(`lakekey has no native module for ${name}`);
  }
}

function loadFirst(names) {
  const causes = [];
  for (const name of names) {
    try {
      return load(name);
    } catch (cause) {
      causes.push(cause);
    }
  }
  const packages = names.map((name) => `@lakekey/${name}`).join(" or ");
  throw new Error(
    `lakekey cannot load its native module for ${names[0]}. Install with optional dependencies, so that ${packages} ` +
      "comes along, on the platform the program runs on",
    { cause: causes.length === 1 ? causes[0] : new AggregateError(causes, causes.map(({ message }) => message).join("; ")) },
  );
}

function loadAndCheck() {
  const native = loadFirst(platforms());
  const expected = "0.1.0";
  if (native.version() !== expected) {
    throw new Error(
      `lakekey ${expected} found a native module of version ${native.version()}. Install lakekey anew, so that both match`,
    );
  }
  return native;
}

module.exports = loadAndCheck();
