// Copyright 2026 the Sluice authors. MIT license.

/**
 * The house rules, as a plugin of `deno lint`: what neither the compilers nor its own rules know.
 */

type Node = Deno.lint.Node;
type Context = Deno.lint.RuleContext;
type Visitor = Deno.lint.LintVisitor;

const root = new URL("..", import.meta.url).pathname;
const licence = "// Copyright 2026 the Sluice authors. MIT license.";
const mostLines = 300;

/** Globals that belong to one runtime, or that reach one. */
const runtimeGlobals = ["Deno", "Bun", "process", "Buffer", "require"];

/**
 * At which position an error takes its message; -1 when it makes its own. The default is 0 for
 * every name in -Error.
 */
const messageIndexes: Readonly<Record<string, number>> = {
  AggregateError: 1,
  SuppressedError: 2,
  EndOfFlow: 0,
  BrokenPipeError: -1,
  BusyError: -1,
  ClosedError: -1,
  HttpError: -1,
  NetError: -1,
  TimeoutError: -1,
  TlsError: -1,
};

const contraction =
  /\b\w+n['’]t\b|\b(?:it|that|there|here|what|who|where|he|she|let)['’]s\b|\b(?:I|you|we|they)['’](?:re|ve|ll|d|m)\b/i;

/** The first line is the licence; only a `#!` line may come before it. */
function licenceHeader(context: Context): Visitor {
  return {
    Program() {
      const [first, second] = context.sourceCode.text.split("\n", 2);
      if ((first.startsWith("#!") ? second : first) === licence) return;
      context.report({ range: [0, 1], message: `The first line is not "${licence}"` });
    },
  };
}

/** A published file has at most 300 lines of code. Comments and blank lines do not count. */
function fileLength(context: Context): Visitor {
  const { text } = context.sourceCode;
  const blank = new Set<number>(); // lines in templates, which count though they are blank
  return {
    TemplateElement({ range: [start, end] }) {
      const first = lineAt(text, start);
      for (let line = first; line <= lineAt(text, end); line++) blank.add(line);
    },
    "Program:exit"() {
      let code = text;
      for (const { range: [start, end] } of context.sourceCode.getAllComments()) {
        code = code.slice(0, start) + code.slice(start, end).replace(/\S/g, " ") + code.slice(end);
      }
      const lines = code.split("\n").filter((line, i) => line.trim() !== "" || blank.has(i)).length;
      if (lines <= mostLines) return;
      context.report({ range: [0, 1], message: `${lines} lines of code: at most ${mostLines}` });
    },
  };
}

/** Comments switch no check off and put nothing off. */
function comments(context: Context): Visitor {
  return {
    Program() {
      for (const { range: [start, end] } of context.sourceCode.getAllComments()) {
        const text = context.sourceCode.text.slice(start, end);
        const report = ({ index, 0: found }: RegExpExecArray, message: string) =>
          context.report({ range: [start + index, start + index + found.length], message });
        const directive = /@ts-(ignore|nocheck)\b|deno-lint-ignore-file\b|deno-lint-ignore\b.*\bsluice\//.exec(text);
        // The bridge wraps JavaScript that has no types.
        if (directive !== null && !pathOf(context).startsWith("bridge/")) report(directive, `No ${directive[0]}`);
        const reminder = /\b(TODO|FIXME|XXX)\b/.exec(text);
        if (reminder !== null) report(reminder, `No ${reminder[0]} comment`);
      }
    },
  };
}

/** Syntax that plain type stripping cannot remove, and `any` where it would hide a mistake. */
function plainSyntax(context: Context): Visitor {
  const cast = (node: Deno.lint.TSAsExpression | Deno.lint.TSTypeAssertion) => {
    if (node.typeAnnotation.type === "TSAnyKeyword") context.report({ node, message: "No cast to any" });
  };
  const namespace = (node: Node) => {
    context.report({ node, message: "No namespace, module or global augmentation" });
  };
  return {
    TSEnumDeclaration: (node) => context.report({ node, message: "No enum" }),
    TSModuleDeclaration: namespace,
    TSGlobal: namespace,
    Decorator: (node) => context.report({ node, message: "No decorator" }),
    ...(pathOf(context).startsWith("bridge/") ? {} : { TSAsExpression: cast, TSTypeAssertion: cast }),
  };
}

/** A class hides its state in `#fields`. */
function fields(context: Context): Visitor {
  const member = (node: Node & { accessibility?: string | undefined }) => {
    const { accessibility } = node;
    if (accessibility === "private" || accessibility === "protected") {
      context.report({ node, message: `No ${accessibility}: use #fields` });
    }
  };
  return {
    PropertyDefinition: member,
    MethodDefinition: member,
    TSAbstractMethodDefinition: member,
    TSAbstractPropertyDefinition: member,
    TSParameterProperty: (node) => context.report({ node, message: "No parameter property" }),
  };
}

/** Node 20 cannot parse `using`, and the packed library runs there. */
function noUsing(context: Context): Visitor {
  return {
    VariableDeclaration(node) {
      if (/using$/.test(node.kind)) context.report({ node, message: "No using in library sources" });
    },
  };
}

/** Tests are written with `test()` of `tests/_test.ts`, and every one runs. */
function testSyntax(context: Context): Visitor {
  return {
    Literal(node) {
      const isModule = /^(node|bun):test(\/|$)/.test(String(node.value)) &&
        /^(Import|Export|CallExpression|TSLiteralType)/.test(node.parent.type);
      if (isModule) context.report({ node, message: `Only tests/_test.ts imports "${node.value}"` });
    },
    CallExpression(node) {
      if (node.callee.type !== "MemberExpression") return;
      const owner = context.sourceCode.getText(node.callee.object);
      const name = context.sourceCode.getText(node.callee.property);
      if (owner === "Deno" && name === "test") context.report({ node, message: "No Deno.test()" });
      const isTestCall = /^(Deno\.)?(test|it|describe|suite)$/.test(owner); // a reader has a skip() too
      if (isTestCall && ["only", "skip", "todo"].includes(name)) context.report({ node, message: `No .${name}()` });
    },
  };
}

/**
 * A default of `{}` hides from `deno doc` that a parameter may be left out: users see `options?:
 * XOptions`.
 */
function optionsParameters(context: Context): Visitor {
  return {
    AssignmentPattern(node) {
      if (node.right.type !== "ObjectExpression" || !("params" in node.parent) || !isExported(node.parent)) return;
      const name = node.left.type === "Identifier" ? node.left.name : "options";
      context.report({ node, message: `Write "${name}?:" instead of a default of {}` });
    },
  };
}

/**
 * Published sources import by relative paths, and a runtime's own modules in the rooms for it only.
 */
function publishedImports(context: Context): Visitor {
  return onImports(({ node, specifier }) => {
    const report = (message: string) => context.report({ node, message });
    // The module of the program, by the URL that it has given.
    if (specifier === "(computed)" && pathOf(context) === "net/workers/_thread.ts") return;
    if (/^\.\.?\//.test(specifier)) {
      if (!specifier.endsWith(".ts")) report(`Import "${specifier}" does not end in .ts`);
    } else if (!/^(node|bun):/.test(specifier)) {
      report(`Published sources import nothing from outside: "${specifier}"`);
    } else if (!mayNameRuntime(pathOf(context))) {
      report(`Only the rooms for it import "${specifier}"`);
    }
  });
}

/** The name of a runtime stands only in the rooms for it. */
function runtimeNames(context: Context): Visitor {
  if (mayNameRuntime(pathOf(context))) return {};
  return {
    Identifier(node) {
      if (isRuntimeGlobal(node)) context.report({ node, message: `Only the rooms for it name ${node.name}` });
    },
  };
}

/** Delays, turns of the event loop and random numbers come from the library's own seams, so that they can be replaced. */
function seams(context: Context): Visitor {
  if (/^(base\/_random|switch\/_context)\.ts$|^net\/(backends|env)\//.test(pathOf(context))) return {};
  const functions = /^(set(Timeout|Interval|Immediate))$/;
  const methods =
    /^(globalThis\.set(Timeout|Interval|Immediate)|(globalThis\.)?(Math\.random|Date\.now|performance\.now|crypto\.(getRandomValues|randomUUID)))$/;
  const report = (node: Node, name: string) =>
    context.report({
      node,
      message: `Time and chance come from a Clock, switch/_context.ts or base/_random.ts, not from ${name}`,
    });
  return {
    ...onImports(({ node, specifier }) => {
      if (/^(node:)?timers(\/promises)?$/.test(specifier)) report(node, specifier);
    }),
    CallExpression(node) {
      if (node.callee.type === "Identifier" && functions.test(node.callee.name)) report(node, node.callee.name);
    },
    NewExpression(node) {
      const { callee } = node;
      if (callee.type === "Identifier" && callee.name === "Date" && node.arguments.length === 0) {
        report(node, "new Date()");
      }
    },
    MemberExpression(node) {
      const name = context.sourceCode.getText(node);
      if (methods.test(name)) report(node, name.replace(/^globalThis\./, ""));
    },
  };
}

/** Only `net/backends/auto.ts` asks which runtime this is. */
function runtimeSniffing(context: Context): Visitor {
  if (pathOf(context) === "net/backends/auto.ts") return {};
  const report = (node: Node) =>
    context.report({ node, message: "Only net/backends/auto.ts asks which runtime this is" });
  return {
    UnaryExpression(node) {
      if (node.operator === "typeof" && isRuntimeGlobal(node.argument)) report(node);
    },
    Literal(node) {
      if (["Deno", "Bun"].includes(textOf(node) ?? "")) report(node);
    },
    TemplateLiteral(node) {
      if (["Deno", "Bun"].includes(textOf(node) ?? "")) report(node);
    },
    Identifier(node) {
      if (node.name === "navigator" && !isMemberName(node)) report(node);
    },
    MemberExpression(node) {
      if (node.computed || node.property.type !== "Identifier") return;
      const { name } = node.property;
      const sniffs = isGlobalThis(node.object)
        ? [...runtimeGlobals, "navigator"].includes(name)
        : context.sourceCode.getText(node.object) === "process" && ["versions", "version", "release"].includes(name);
      if (sniffs) report(node);
    },
  };
}

/** How an error's message reads: `Cannot connect to tcp "10.0.0.1:80": connection refused`. */
function errorWording(context: Context): Visitor {
  const classes = new Map<string, Deno.lint.ClassDeclaration>();
  const made: { readonly name: string | undefined; readonly args: readonly Node[] }[] = [];
  /** At which position an error takes its message; -1 when it takes none. */
  const indexOf = (name = ""): number => {
    const own = classes.get(name);
    if (own !== undefined) return ownIndex(own) ?? indexOf(baseOf(own));
    return messageIndexes[name] ?? (/(Error|Exception)$/.test(name) ? 0 : -1);
  };
  return {
    ClassDeclaration(node) {
      if (node.id) classes.set(node.id.name, node);
    },
    NewExpression(node) {
      if (node.callee.type === "Identifier") made.push({ name: node.callee.name, args: node.arguments });
    },
    CallExpression(node) {
      if (node.callee.type !== "Super") return;
      const owner = ancestors(node).find((one) => one.type === "ClassDeclaration" || one.type === "ClassExpression");
      made.push({ name: owner && baseOf(owner), args: node.arguments });
    },
    // A class may be declared after it is used.
    "Program:exit"() {
      for (const { name, args } of made) {
        const node = args[indexOf(name)];
        if (node === undefined) continue;
        for (const fault of faultsOf(node)) context.report({ node, message: `Error message ${fault}` });
      }
    },
  };
}

function ownIndex({ body }: Deno.lint.ClassDeclaration): number | undefined {
  const method = body.body.find((member) => member.type === "MethodDefinition" && member.kind === "constructor");
  if (method?.type !== "MethodDefinition") return undefined;
  return method.value.params.findIndex((param) => {
    const target = param.type === "AssignmentPattern" ? param.left : param;
    return target.type === "Identifier" && target.name === "message";
  });
}

function baseOf({ superClass }: Deno.lint.ClassDeclaration | Deno.lint.ClassExpression): string | undefined {
  return superClass?.type === "Identifier" ? superClass.name : undefined;
}

function faultsOf(message: Node): string[] {
  const parts = fixedParts(message);
  if (parts === undefined) return [];
  const faults: string[] = [];
  if (parts[0] && !/^[A-Z]/.test(parts[0])) faults.push("does not start with a capital letter");
  if (/[.!?]$/.test(parts.at(-1) ?? "")) faults.push("ends with a full stop or the like");
  if (parts.some((part) => contraction.test(part))) faults.push("has a contraction");
  return faults;
}

/** The text of a literal, or of a template without expressions. */
function textOf(node: Node): string | undefined {
  const parts = node.type === "BinaryExpression" ? undefined : fixedParts(node);
  return parts?.length === 1 ? parts[0] : undefined;
}

/** The written parts of a message: what stands before, between and after its expressions. */
function fixedParts(node: Node): string[] | undefined {
  if (node.type === "Literal" && typeof node.value === "string") return [node.value];
  if (node.type === "TemplateLiteral") return node.quasis.map(({ cooked }) => cooked);
  if (node.type === "BinaryExpression" && node.operator === "+") {
    return [...fixedParts(node.left) ?? [""], ...fixedParts(node.right) ?? [""]];
  }
  return undefined;
}

/** Calls `visit` at each import, re-export, dynamic import and import type. */
function onImports(visit: (found: { node: Node; specifier: string }) => void): Visitor {
  const from = (node: Node, source: Node | null | undefined) => {
    if (!source) return;
    visit({ node, specifier: textOf(source.type === "TSLiteralType" ? source.literal : source) ?? "(computed)" });
  };
  return {
    ImportDeclaration: (node) => from(node, node.source),
    ExportNamedDeclaration: (node) => from(node, node.source),
    ExportAllDeclaration: (node) => from(node, node.source),
    ImportExpression: (node) => from(node, node.source),
    TSImportType: (node) => from(node, node.argument),
  };
}

/** Whether a function is exported, or a method or constructor of an exported class. */
function isExported(callable: Node): boolean {
  const [parent, ...above] = ancestors(callable);
  if (parent.type === "ExportNamedDeclaration" || parent.type === "ExportDefaultDeclaration") return true;
  if (parent.type === "VariableDeclarator") return above[1]?.type === "ExportNamedDeclaration";
  return parent.type === "MethodDefinition" && /^Export/.test(above[2]?.type ?? "");
}

function mayNameRuntime(path: string): boolean {
  const files = [
    "switch/_context.ts",
    "net/blocks/_block_list.ts",
    "net/http/fetch/_node_zlib.ts",
    "net/observe/_node_channel.ts",
    "net/tls/_node_engine.ts",
    "net/workers/_thread.ts",
  ];
  return files.includes(path) || /^(net\/backends\/|net\/env\/|flow\/node\/)/
    .test(path);
}

function isRuntimeGlobal(node: Node): node is Deno.lint.Identifier {
  return node.type === "Identifier" && runtimeGlobals.includes(node.name) && !isMemberName(node);
}

/** Whether the identifier only names a member or a field: `this.process`, `{ process: 1 }`. */
function isMemberName(node: Deno.lint.Identifier): boolean {
  const { parent } = node;
  if (parent.type === "MemberExpression") {
    return parent.property === node && !parent.computed && !isGlobalThis(parent.object);
  }
  if (parent.type === "TSQualifiedName") return parent.right === node;
  const hasKey = /^(Property|PropertyDefinition|MethodDefinition|TSPropertySignature|TSMethodSignature)$/;
  if (!hasKey.test(parent.type) || !("key" in parent) || parent.key !== node) return false;
  return parent.type !== "Property" || parent.shorthand || parent.parent.type !== "ObjectPattern"; // of globalThis maybe
}

function isGlobalThis(node: Node): boolean {
  if (node.type === "TSAsExpression") return isGlobalThis(node.expression);
  return node.type === "Identifier" && node.name === "globalThis";
}

/** The parents of a node, the nearest first. */
function ancestors(node: Node): Node[] {
  const { parent } = node as { parent?: Node };
  return parent ? [parent, ...ancestors(parent)] : [];
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length - 1;
}

/** The path of the file from the root of the repository. */
function pathOf({ filename }: Context): string {
  return filename.replace(/^file:\/\//, "").replace(root, "");
}

function everywhere(create: (context: Context) => Visitor): Deno.lint.Rule {
  return { create };
}

/** A rule for the files whose paths match. */
function only(paths: RegExp, create: (context: Context) => Visitor): Deno.lint.Rule {
  return { create: (context) => paths.test(pathOf(context)) ? create(context) : {} };
}

const published = /^(mod\.ts$|(base|switch|flow|net)\/)/;

const plugin: Deno.lint.Plugin = {
  name: "sluice",
  rules: {
    "licence-header": everywhere(licenceHeader),
    "file-length": only(published, fileLength),
    "comments": everywhere(comments),
    "plain-syntax": everywhere(plainSyntax),
    "fields": only(published, fields),
    "no-using": only(published, noUsing),
    "test-syntax": only(/^tests\/(?!_test\.ts$)/, testSyntax),
    "options-parameters": only(published, optionsParameters),
    "published-imports": only(published, publishedImports),
    "runtime-names": only(published, runtimeNames),
    "runtime-sniffing": only(published, runtimeSniffing),
    "seams": only(published, seams),
    "error-wording": only(published, errorWording),
  },
};

export default plugin;
