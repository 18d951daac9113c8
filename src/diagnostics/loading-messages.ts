// Loading (PST01xx): YAML, Kubernetes objects, structure. Texts of the API server. Spec validation.md §7, §8.
import type { MessageType } from './diagnostic.js';

export const YamlSyntax: MessageType = {
  code: 'PST0101',
  severity: 'error',
  template: 'error converting YAML to JSON: {reason}',
  explanation:
    'The document is not YAML (or JSON) that kubectl could read. The other documents of the file are still read.',
};

export const YamlDuplicateKey: MessageType = {
  code: 'PST0102',
  severity: 'warning',
  template: 'key "{key}" already set in map (line {firstLine}); the last one counts',
  explanation:
    'The same key stands twice in one map. kubectl sends the last one without a word, as postern uses it; istioctl validate refuses the file.',
  help: 'remove one of the two',
};

export const NotAnObject: MessageType = {
  code: 'PST0103',
  severity: 'error',
  template: 'the document is no Kubernetes object: {reason}',
  explanation:
    'A document that was named on the command line, or that looks like one of the kinds postern reads, lacks apiVersion or kind.',
  help: 'every object begins with apiVersion and kind',
};

export const ContractNamedAsConfiguration: MessageType = {
  code: 'PST0104',
  severity: 'error',
  template: 'this is a contract file, not configuration',
  explanation:
    'A file with a top-level key `contract` was named where configuration is expected. In a folder such files are passed over.',
  help: 'run it with: postern test FILE',
};

export const UnknownKind: MessageType = {
  code: 'PST0105',
  severity: 'error',
  template: 'no matches for kind "{kind}" in version "{apiVersion}"',
  explanation: 'A cluster with Istio has no such kind in this version of the API group.',
};

export const KindNotEmulated: MessageType = {
  code: 'PST0106',
  severity: 'warning',
  template: '{kind} ({group}) is not emulated: everything behaves as if it were not there',
  explanation: 'Istio would act on this object and postern does not, so the real gateway may answer differently.',
};

export const ObjectReplaced: MessageType = {
  code: 'PST0107',
  severity: 'warning',
  template: '{resource} is already defined at {first}; this one replaces it, as with kubectl apply',
  explanation:
    'The same object was loaded twice. The later one counts: in the order of the arguments, then of file names, then within the file.',
};

export const NameMissing: MessageType = {
  code: 'PST0108',
  severity: 'error',
  template: 'resource name may not be empty',
  explanation: 'An object has no metadata.name.',
  help: 'give it a metadata.name',
};

export const NameIsBoolean: MessageType = {
  code: 'PST0109',
  severity: 'warning',
  template: '{path}: {word} is a boolean in the YAML of Kubernetes; kubectl refuses it as a name',
  explanation:
    'The words y, Y, n and N mean yes and no unless they are quoted. As the name of an object they are used all the same here.',
  help: 'write "{word}", in quotes',
};

export const UnknownField: MessageType = {
  code: 'PST0110',
  severity: 'error',
  template: 'strict decoding error: unknown field "{path}"',
  explanation:
    'The API has no field of this name here. kubectl refuses such objects by default. Names are camelCase and case counts.',
};

export const WrongType: MessageType = {
  code: 'PST0111',
  severity: 'error',
  template: '{path}: Invalid value: "{found}": {path} in body must be of type {expected}: "{found}"',
  explanation:
    'The value has another type than the field. Unquoted words such as y, on, 017 and 1e3 are booleans and numbers, and "443" is text.',
};

export const RequiredValue: MessageType = {
  code: 'PST0112',
  severity: 'error',
  template: '{path}: Required value',
  explanation: 'A field without which the API server refuses the object is missing.',
};

export const UnsupportedValue: MessageType = {
  code: 'PST0113',
  severity: 'error',
  template: '{path}: Unsupported value: {value}: supported values: {supported}',
  explanation: 'The field takes one of a few words, spelled exactly.',
};

export const BelowMinimum: MessageType = {
  code: 'PST0114',
  severity: 'error',
  template: '{path}: Invalid value: {value}: {path} in body should be greater than or equal to {minimum}',
  explanation: 'The number is too small for the field.',
};

export const AboveMaximum: MessageType = {
  code: 'PST0115',
  severity: 'error',
  template: '{path}: Invalid value: {value}: {path} in body should be less than or equal to {maximum}',
  explanation: 'The number is too large for the field.',
};

export const FractionalInteger: MessageType = {
  code: 'PST0116',
  severity: 'error',
  template: '{path}: Invalid value: "number": {path} in body must be of type integer: "number"',
  explanation: 'The field takes whole numbers only.',
};

export const IntegerOverflow: MessageType = {
  code: 'PST0117',
  severity: 'error',
  template: '<nil>: Invalid value: "": Checked value must be of type integer {format} in {path}',
  explanation: 'The number does not fit into the integer type of the field.',
};

export const TooFewItems: MessageType = {
  code: 'PST0118',
  severity: 'error',
  template: '{path}: Invalid value: {count}: {path} in body should have at least {minimum} items',
  explanation: 'The list is shorter than the API allows.',
};

export const TooManyItems: MessageType = {
  code: 'PST0119',
  severity: 'error',
  template: '{path}: Too many: {count}: must have at most {maximum} items',
  explanation: 'The list is longer than the API allows.',
};

export const OneOfViolation: MessageType = {
  code: 'PST0120',
  severity: 'error',
  template:
    '<nil>: Invalid value: "": "{path}" must validate one and only one schema (oneOf). Found {count} valid alternatives',
  explanation: 'Fields that exclude each other are set together.',
};

export const AllOfViolation: MessageType = {
  code: 'PST1201',
  severity: 'error',
  template: '<nil>: Invalid value: "": "{path}" must validate all the schemas (allOf)',
  explanation:
    'The API server says this beside the error about fields that exclude each other, where a message has two groups of them.',
};

export const RulesNotChecked: MessageType = {
  code: 'PST1202',
  severity: 'error',
  template:
    '<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
  explanation:
    'With a type, a word or a required field that is wrong, the API server does not evaluate the rules of the schema: there may be more to mend once this is.',
};

export const TooLong: MessageType = {
  code: 'PST1203',
  severity: 'error',
  template: '{path}: Too long: may not be more than {maximum} bytes',
  explanation: 'The text is longer than the API allows.',
};

export const BadValue: MessageType = {
  code: 'PST1204',
  severity: 'error',
  template: '{path}: Invalid value: {problem}',
  explanation: "A check that the API server makes of names and of Kubernetes' own kinds, beside their structure.",
};

export const WebhookDenial: MessageType = {
  code: 'PST1206',
  severity: 'error',
  template: '{error}',
  explanation:
    "istiod's admission webhook refuses the object before it evaluates any rule: for an annotation that users may not set, or because it cannot decode the object. istioctl analyze does not look at this.",
};

export const InputTooLarge: MessageType = {
  code: 'PST1205',
  severity: 'error',
  template: 'the file has {size} bytes; more than {limit} are not read',
  explanation:
    'Configuration of this size is generated or not meant for a gateway, and would take long to read. No object that a cluster stores is larger than 1.5 MiB.',
  help: 'split the file, or raise the limit with --max-input',
};

export const BadDuration: MessageType = {
  code: 'PST0121',
  severity: 'error',
  template:
    "{path}: Invalid value: \"string\": type conversion error from 'string' to 'google.protobuf.Duration' evaluating rule: must be a valid duration greater than 1ms",
  explanation:
    'Durations are numbers with a unit (ns us ms s m h), one or several after each other: 100ms, 1.5s, 1m30s.',
};

export const ShortDuration: MessageType = {
  code: 'PST0122',
  severity: 'error',
  template: '{path}: Invalid value: {value}: must be a valid duration greater than 1ms',
  explanation: 'The field needs a duration of at least one millisecond; leaving it out is the way to have none.',
};

export const BadTimestamp: MessageType = {
  code: 'PST0123',
  severity: 'error',
  template: '{path}: not a time of the form 2006-01-02T15:04:05Z (RFC 3339)',
  explanation: 'creationTimestamp decides which of two objects is older, so it must be readable.',
};

export const BadBase64: MessageType = {
  code: 'PST0124',
  severity: 'error',
  template: '{path}: illegal base64 data at input byte {offset}',
  explanation: 'The field holds bytes in base64.',
  help: 'in a Secret, stringData takes the text as it is',
};

// PST0125 to PST0128 were checks of istiod's webhook, which now speak as IST0106.

export const BadMapKey: MessageType = {
  code: 'PST0129',
  severity: 'error',
  template: '{path}: the key must be a port number',
  explanation: 'The keys of this map are port numbers.',
};

export const FieldNotEmulated: MessageType = {
  code: 'PST0130',
  severity: 'warning',
  template: '{path} is not emulated: everything behaves as if it were not written',
  explanation: 'Istio would act on this field and postern does not, so the real gateway may answer differently.',
};

export const ProxyConfigOfWorkload: MessageType = {
  code: 'PST0135',
  severity: 'warning',
  template: 'the annotation proxy.istio.io/config of a gateway is not read',
  explanation:
    'istiod lays the ProxyConfig of this annotation over the one of the mesh for the pods that have it. postern takes the workload of the gateway from its flags and does not look at Deployments and Pods for it.',
  help: 'put these settings under defaultConfig in the file of --mesh-config',
};

export const MeshConfigNotRead: MessageType = {
  code: 'PST0132',
  severity: 'error',
  template: 'mesh configuration must be an object with fields, not {found}',
  explanation: 'The text of --mesh-config or of the ConfigMap istio is no MeshConfig.',
};

export const SchemaRule: MessageType = {
  code: 'PST0133',
  severity: 'error',
  template: '{path}: Invalid value: {rule}',
  explanation: 'The API server refuses the object: a rule of its schema joins several fields, or looks into a value.',
};

export const DuplicateListKey: MessageType = {
  code: 'PST0134',
  severity: 'error',
  template: '{path}: Duplicate value: {value}',
  explanation: 'Items of this list are told apart by a key, so it may not repeat.',
};

export const UnknownMeshField: MessageType = {
  code: 'PST0131',
  severity: 'warning',
  template: 'MeshConfig has no field "{path}"; istiod passes over it, and so does postern',
  explanation: 'istiod reads MeshConfig leniently: a misspelt field has no effect.',
};
