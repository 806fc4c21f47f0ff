// Checks what a request sets for plugins against the rows of REQUEST_SETTINGS.
import type { RequestSetting, RequestSettings, Rows } from '@lmflow/sdk';
import { z } from 'zod';
import { settingInvalid, settingUnknown } from './errors.ts';

/** The settings as the plugins' schemas parse them; throws LMFLOW_GENERATE_SETTING_UNKNOWN and _INVALID. */
export function checkedSettings(
  rows: Rows<RequestSetting>,
  settings: RequestSettings = {},
): RequestSettings {
  const checked: Record<string, unknown> = {};
  for (const [name, value] of Object.entries<unknown>({ ...settings })) {
    if (value === undefined) continue;
    const row = rows.get(name);
    if (!row) throw settingUnknown(name, rows.names());
    const result = row.schema.safeParse(value);
    if (!result.success) {
      const [{ path, message }] = result.error.issues as [z.core.$ZodIssue];
      throw settingInvalid(z.core.toDotPath([name, ...path]), message);
    }
    checked[name] = result.data;
  }
  return checked;
}
