// @lmflow/sdk/device-check: no device other than the CPU is trusted unseen. For packages that
// contribute an engine.
export {
  checkedEngine,
  type CheckedEngine,
  type DeviceCheckSetup,
  type EngineInstance,
} from './engine.ts';
