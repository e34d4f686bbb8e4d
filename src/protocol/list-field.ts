import { z } from 'zod'

/** Wrong elements after which a list is read no further: enough to correct it by. */
const ISSUES_MAX = 20

/**
 * A list of `min` to `max` elements, for what a peer sends. `z.array` looks at all elements and keeps about a kilobyte for
 * each one that is wrong, so that a megabyte of nonsense costs hundreds of them; here a few wrong ones end the reading.
 */
export function listField<S extends z.ZodType>(
  element: S,
  { min = 0, max }: { readonly min?: number; readonly max: number },
): z.ZodType<z.output<S>[], z.input<S>[]> {
  const list = z
    .array(z.unknown())
    .min(min)
    .max(max)
    .transform((items, context) => {
      const read: z.output<S>[] = []
      let issues = 0
      for (const [i, item] of items.entries()) {
        const result = element.safeParse(item)
        if (result.success) read.push(result.data)
        else issues += addIssues(context, i, result.error)
        if (issues >= ISSUES_MAX) break
      }
      return issues > 0 ? z.NEVER : read
    })
  return list as unknown as z.ZodType<z.output<S>[], z.input<S>[]>
}

function addIssues(context: z.RefinementCtx, index: number, { issues }: z.ZodError): number {
  for (const { path, message } of issues.slice(0, ISSUES_MAX)) {
    context.addIssue({ code: 'custom', path: [index, ...path], message })
  }
  return issues.length
}
