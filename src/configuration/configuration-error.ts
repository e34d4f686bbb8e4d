import { SluiceError } from '../sluice-error.ts'

/** What is wrong with the environment that a configuration is read from. */
export class ConfigurationError extends SluiceError<'environment-invalid'> {}
