// Original file: proto/sluice/v1/coordinator.proto


export interface Noted {
}

export interface Noted__Output {
}
