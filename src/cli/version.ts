/** Of this program, as workers and farms tell each other. */
export const VERSION = "0.1.0";
