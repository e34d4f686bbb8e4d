import { fileURLToPath } from 'node:url'

/** The directory of the four files: the `baseDirectory` of their datasets. */
export const heartDirectory = fileURLToPath(new URL('.', import.meta.url))

/** The four hospitals: each holder node of the demo is given its own file only. */
export const heartHospitals = [
  { name: 'cleveland', title: 'Cleveland Clinic Foundation', path: 'cleveland.csv' },
  { name: 'hungary', title: 'Hungarian Institute of Cardiology, Budapest', path: 'hungary.csv' },
  { name: 'long-beach', title: 'VA Medical Center, Long Beach', path: 'long-beach.csv' },
  { name: 'switzerland', title: 'University Hospitals, Zürich and Basel', path: 'switzerland.csv' },
] as const
