import { openTfjsTrainer } from '../../nodes/trainers/tfjs/tfjs-trainer.ts'
import { describeTrainerContract } from './trainer-contract.ts'

describeTrainerContract('tfjs on cpu', () => openTfjsTrainer('cpu'))
