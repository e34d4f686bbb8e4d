import { BarChart, LineChart } from 'echarts/charts'
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components'
import { type EChartsCoreOption, init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'

use([LineChart, BarChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer])

/** A curve or a row of bars with its name. */
export interface Series {
  readonly name: string
  readonly values: readonly (number | null)[]
}

/** A line chart as SVG text: one curve per series over `labels`. */
export function lineChart(
  title: string,
  xName: string,
  yName: string,
  labels: readonly string[],
  series: readonly Series[],
) {
  return renderSvg({
    ...frame(title, series),
    xAxis: { type: 'category', data: labels, name: xName, nameLocation: 'middle', nameGap: 28 },
    yAxis: { type: 'value', name: yName, scale: true },
    series: series.map(({ name, values }) => ({ type: 'line', name, data: values, showSymbol: false })),
  })
}

/** Grouped bars as SVG text: one group per label, one bar per series. */
export function barChart(title: string, yName: string, labels: readonly string[], series: readonly Series[]): string {
  return renderSvg({
    ...frame(title, series),
    xAxis: { type: 'category', data: labels },
    yAxis: { type: 'value', name: yName, min: 0.5, max: 1 },
    series: series.map(({ name, values }) => ({ type: 'bar', name, data: values })),
  })
}

function frame(title: string, series: readonly Series[]): EChartsCoreOption {
  return {
    animation: false,
    backgroundColor: '#ffffff',
    title: { text: title, left: 'center', textStyle: { fontSize: 15 } },
    legend: { data: series.map(({ name }) => name), bottom: 0 },
    grid: { left: 60, right: 24, top: 56, bottom: 72 },
  }
}

function renderSvg(option: EChartsCoreOption): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: 760, height: 380 })
  try {
    chart.setOption(option)
    return chart.renderToSVGString()
  } finally {
    chart.dispose()
  }
}
