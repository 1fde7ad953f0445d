/**
 * The names that a module declares: types, functions, parameters, properties, variables.
 *
 * @module
 */

import ts from "typescript";

/** A name, where it is declared. */
export interface DeclaredName {
  /** As it is written, with the `#` of a private one. */
  readonly name: string;
  /** Whether it is that of a type, an interface or a class. */
  readonly isType: boolean;
}

/** The names that a module declares, in order. What it imports is declared elsewhere. */
export function declaredNames(text: string): readonly DeclaredName[] {
  const names: DeclaredName[] = [];
  const visit = (node: ts.Node) => {
    const name = (node as ts.Node & { readonly name?: ts.Node }).name;
    if (name !== undefined && isDeclaration(node) && isWritten(name)) {
      names.push({ name: name.text, isType: isType(node) });
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile("module.ts", text, ts.ScriptTarget.Latest, false));
  return names;
}

/** The words of a name in camel, Pascal or upper case, in lower case. */
export function wordsOf(name: string): readonly string[] {
  return [...name.matchAll(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+/g)].map(([word]) => word.toLowerCase());
}

function isWritten(name: ts.Node): name is ts.Identifier | ts.PrivateIdentifier | ts.StringLiteral {
  return ts.isIdentifier(name) || ts.isPrivateIdentifier(name) || ts.isStringLiteral(name);
}

/** Whether a node declares a name, rather than using one that is declared elsewhere. */
function isDeclaration(node: ts.Node): boolean {
  return !ts.isPropertyAccessExpression(node) && !ts.isImportSpecifier(node) && !ts.isImportClause(node) &&
    !ts.isNamespaceImport(node) && !ts.isExportSpecifier(node) && !ts.isMetaProperty(node);
}

function isType(node: ts.Node): boolean {
  return ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) || ts.isClassDeclaration(node) ||
    ts.isTypeParameterDeclaration(node);
}
