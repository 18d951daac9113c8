// Every message that postern can give, by code. Codes are Istio's where Istio has one (IST####), PST#### for ours; a
// code is never reused. Each part has a file; whoever gives a message imports it from here.

export * from './analysis-messages.js';
export * from './contract-messages.js';
export * from './destination-messages.js';
export * from './export-messages.js';
export * from './gateway-messages.js';
export * from './loading-messages.js';
export * from './own-messages.js';
export * from './route-messages.js';
export * from './stand-in-messages.js';
export * from './webhook-messages.js';
