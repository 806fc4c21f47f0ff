// A Vulkan driver that computes on the processor, so that WebGPU can be tested where no GPU is:
// SwiftShader, which Debian's package chromium brings. libvulkan1 loads it. Not a test.
import { existsSync } from 'node:fs';

const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';

/**
 * Lets WebGPU find SwiftShader, unless the environment names a driver. Call it before the runtime
 * is loaded.
 */
export function useSoftwareGpu(): void {
  const named = process.env['VK_DRIVER_FILES'] ?? process.env['VK_ICD_FILENAMES'];
  if (named === undefined && existsSync(SWIFTSHADER)) {
    process.env['VK_DRIVER_FILES'] = process.env['VK_ICD_FILENAMES'] = SWIFTSHADER;
  }
}
