// All pages. A test keeps them and the catalogue in step and runs every example.
import { DESTINATION_PAGES } from './destinations.js';
import { GATEWAY_PAGES } from './gateways.js';
import { ISTIO_PAGES } from './istio.js';
import { LOADING_PAGES } from './loading.js';
import { OWN_PAGES } from './own.js';
import type { CodePage, CodePages } from './page.js';
import { PRODUCT_PAGES } from './product.js';
import { ROUTE_PAGES } from './routes.js';

/** By code. */
export const CODE_PAGES: CodePages = {
  ...ISTIO_PAGES,
  ...LOADING_PAGES,
  ...GATEWAY_PAGES,
  ...ROUTE_PAGES,
  ...DESTINATION_PAGES,
  ...PRODUCT_PAGES,
  ...OWN_PAGES,
};

export type { CodePage, CodePages };
