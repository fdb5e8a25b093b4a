// What tell.ts asks of Node.
declare const process: { argv: string[] };
