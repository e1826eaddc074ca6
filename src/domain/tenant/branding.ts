/** The name and look of a service. Texts that are not configured are empty; URLs are absolute. */
export interface Branding {
  readonly name: string;
  readonly logoUrl: string;
  readonly logoDarkUrl: string;
  readonly faviconUrl: string;
  readonly colors: BrandColors;
  readonly darkColors: BrandColors;
  readonly termsUrl: string;
  readonly privacyUrl: string;
  readonly supportUrl: string;
  readonly supportEmail: string;
}

/** Colours as `#rrggbb`. */
export interface BrandColors {
  readonly primary: string;
  readonly onPrimary: string;
  readonly background: string;
  readonly text: string;
}
