/** The parts of json-rules-engine this stage uses; nothing else of the project imports the package. */
import type { RuleProperties, TopLevelCondition } from 'json-rules-engine';
import { Engine, OperatorDecorator } from 'json-rules-engine';

export type { RuleProperties };
export type NestedCondition =
  | TopLevelCondition
  | { readonly name?: string; readonly fact: string; readonly operator: string; readonly value: unknown };
export { Engine, OperatorDecorator };
