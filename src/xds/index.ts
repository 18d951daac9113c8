// Everything of Envoy's vocabulary in one import.
export * from './access-log.js';
export * from './cluster.js';
export * from './command-operators.js';
export * from './duration.js';
export * from './facts.js';
export * from './ip-address.js';
export * from './listener.js';
export * from './names.js';
export * from './response-flag.js';
export * from './route.js';
export * from './snapshot.js';
export * from './transport-socket.js';
