import { type FeatureSchema, parseFeatureSchema } from '../../../src/learning/feature-schema.ts'

/**
 * Heart disease from thirteen routine findings: what the four hospitals' files hold (README.md in this directory).
 *
 * Bounds are medical plausibility, not the files' extremes. Findings that some hospital often lacks carry a missing
 * indicator: that a test was not made says something about the patient and about the hospital, and accuracy gains from
 * it (README.md has the figures).
 */
export const heartFeatures: FeatureSchema = parseFeatureSchema({
  features: [
    { kind: 'numeric', name: 'age', column: 'age', low: 18, high: 100, unit: 'years' },
    { kind: 'categorical', name: 'sex', column: 'sex', values: ['Female', 'Male'] },
    {
      kind: 'categorical',
      name: 'chest pain',
      column: 'cp',
      values: ['typical angina', 'atypical angina', 'non-anginal', 'asymptomatic'],
    },
    {
      kind: 'numeric',
      name: 'resting blood pressure',
      column: 'trestbps',
      low: 60,
      high: 240,
      unit: 'mm Hg',
      missingWhen: { equals: [0] },
      missingIndicator: true,
    },
    {
      kind: 'numeric',
      name: 'cholesterol',
      column: 'chol',
      low: 50,
      high: 700,
      unit: 'mg/dl',
      missingWhen: { equals: [0] },
      missingIndicator: true,
    },
    { kind: 'boolean', name: 'fasting blood sugar above 120 mg/dl', column: 'fbs', missingIndicator: true },
    {
      kind: 'categorical',
      name: 'resting electrocardiogram',
      column: 'restecg',
      values: ['normal', 'st-t abnormality', 'lv hypertrophy'],
      missingIndicator: true,
    },
    {
      kind: 'numeric',
      name: 'maximum heart rate',
      column: 'thalch',
      low: 40,
      high: 230,
      unit: '1/min',
      missingIndicator: true,
    },
    { kind: 'boolean', name: 'exercise-induced angina', column: 'exang', missingIndicator: true },
    {
      kind: 'numeric',
      name: 'ST depression',
      column: 'oldpeak',
      low: -5,
      high: 10,
      unit: 'mm',
      missingIndicator: true,
    },
    {
      kind: 'categorical',
      name: 'ST slope',
      column: 'slope',
      values: ['upsloping', 'flat', 'downsloping'],
      missingIndicator: true,
    },
    { kind: 'numeric', name: 'coloured vessels', column: 'ca', low: 0, high: 4, missingIndicator: true },
    {
      kind: 'categorical',
      name: 'thallium scan',
      column: 'thal',
      values: ['normal', 'fixed defect', 'reversable defect'],
      missingIndicator: true,
    },
  ],
  label: { name: 'heart disease', column: 'num', positiveWhen: { greaterThan: 0 } },
})
