import { execFile, execFileSync } from 'node:child_process'
import { resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '../../..')

export interface Finished {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Without BuildKit: its builder is a plugin that not every machine has, and the images are to build with either. */
const BUILD_ENVIRONMENT = { DOCKER_BUILDKIT: '0', COMPOSE_DOCKER_CLI_BUILD: '0' }

/** Runs a program to its end from the root of the checkout, with `input` as its standard input. Never rejects. */
export function run(program: string, args: readonly string[], input?: string, env = {}): Promise<Finished> {
  return new Promise((done) => {
    const options = {
      cwd: ROOT,
      env: { ...process.env, ...BUILD_ENVIRONMENT, ...env },
      maxBuffer: 256 * 2 ** 20,
    }
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      done({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr })
    })
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input)
  })
}

/** The standard output of a `docker` command. @throws Error with what it said when it fails */
export async function docker(args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await run('docker', args, input)
  if (code !== 0) throw new Error(`docker ${args.slice(0, 3).join(' ')} ended with ${code}: ${stderr || stdout}`)
  return stdout
}

/** `docker compose`, or docker-compose where the plugin is not there; undefined for neither. */
function composeProgram(): readonly string[] | undefined {
  for (const program of [['docker', 'compose'], ['docker-compose']]) {
    try {
      execFileSync(program[0], [...program.slice(1), 'version'], { stdio: 'ignore' })
      return program
    } catch {}
  }
  return undefined
}

/** What the suite lacks on this machine, as a sentence that says what to do; undefined for nothing. */
export function missingEngine(): string | undefined {
  try {
    execFileSync('docker', ['version', '--format', '{{.Server.Version}}'], { stdio: 'ignore' })
  } catch {
    return 'The container suite needs a Docker engine 20.10 or newer that this user may use: start one (docker version shows it).'
  }
  if (composeProgram()) return undefined
  return 'The container suite needs Docker Compose: install docker-compose 1.29 or newer, or the plugin of docker.'
}

/** Runs a compose command on a project. */
export function composeOf(project: string, files: readonly string[], env: Readonly<Record<string, string>>) {
  const [program, ...first] = composeProgram()!
  const common = [...first, '--project-name', project, ...files.flatMap((file) => ['--file', file])]
  return async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(program, [...common, ...args], '', env)
    if (code !== 0) throw new Error(`compose ${args.join(' ')} ended with ${code}: ${stderr.slice(-3000)}`)
    return stdout
  }
}
