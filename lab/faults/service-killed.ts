/** SIGKILL for every instance of a service; started again when the fault ends. Until then its port refuses. */
import type { StartFault } from './fault.ts';

export const serviceKilled: StartFault = async (lab, target) => {
  const instances = lab.places(target.service ?? '').map(({ instance }) => instance);
  for (const instance of instances) await lab.killInstance(instance);
  return {
    stop: async () => {
      const killed = instances.filter((instance) => lab.pidOf(instance) === undefined).length;
      for (const instance of instances) await lab.startInstance(instance);
      return { instancesKilled: killed };
    },
  };
};
