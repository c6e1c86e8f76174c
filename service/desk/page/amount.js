// Amounts: what is typed as minor units, and minor units as the locale writes them.

const LONGEST = 13;

// Typed text keeps digits and at most one mark; without one the last two digits are minor units.
export function minorUnits(typed) {
  if (!/[0-9]/.test(typed)) return null;
  const mark = typed.search(/[.,]/);
  if (mark < 0) return Number(typed);
  const major = typed.slice(0, mark) || "0";
  const minor = typed.slice(mark + 1).padEnd(2, "0");
  return Number(major + minor);
}

export function acceptable(typed) {
  return typed.length <= LONGEST && /^[0-9]*([.,][0-9]{0,2})?$/.test(typed);
}

export function format(minor, currency, locale) {
  const digits = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  const style = currency ? { style: "currency", currency, ...digits } : digits;
  // As text: a number would lose the last digits of the largest amounts.
  const sign = minor < 0 ? "-" : "";
  const text = String(Math.abs(minor)).padStart(3, "0");
  const decimal = `${sign}${text.slice(0, -2)}.${text.slice(-2)}`;
  for (const tags of [locale ? [locale] : [], []]) {
    try {
      return new Intl.NumberFormat(tags.length ? tags : undefined, style).format(decimal);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  return decimal;
}
